// What the page knows of its samples: the index, the texts in pieces, filters and search.

const index = JSON.parse(document.getElementById("index").textContent);
const files = JSON.parse(document.getElementById("files").textContent);
const { runs, problems, verdicts, answers, starts } = index;
const { groups, samples } = unpacked(index.samples);
const total = samples.index.length;
const CORRECT = verdicts.indexOf("correct");
const KEPT_PIECES = 8;

const PROGRAM = /^(python|cpp\d*):[0-9a-f]{16}$/; // what a grade names in place of a submission

const answerOf = (n) => (samples.answer[n] < 0 ? null : answers[samples.answer[n]]);
const taskOf = (n) => problems[samples.problem[n]].task;
const words = (verdict) => verdict[0].toUpperCase() + verdict.slice(1).replaceAll("_", " ");

// Samples of one problem and run stand together: groups say where, columns hold number n of sample n.
function unpacked({ groups: stretches, index: numbers, verdict, answer, tokens }) {
  const found = [];
  const run = [];
  const problem = [];
  const counted = [];
  for (let at = 0; at < stretches.length; at += 3) {
    const group = { run: stretches[at], problem: stretches[at + 1], start: run.length, end: run.length + stretches[at + 2] };
    found.push(group);
    for (let n = group.start; n < group.end; n++) {
      run.push(group.run);
      problem.push(group.problem);
      counted.push(n - group.start);
    }
  }
  const known = (count) => (count < 0 ? null : count);
  return { groups: found, samples: {
    run, problem, index: numbers ?? counted, verdict, answer,
    tokens: tokens === null ? counted.map(() => null) : tokens.map(known),
  } };
}

function* numbersIn(group) {
  for (let n = group.start; n < group.end; n++) yield n;
}

// The way to a sample, and back.
function addressOf(n) {
  const parts = [runs[samples.run[n]].name, taskOf(n), problems[samples.problem[n]].id, samples.index[n]];
  return `#s/${parts.map((part) => encodeURIComponent(part)).join("/")}`;
}

// However its parts are encoded; undefined where it is no sample's.
function sampleAt(address) {
  const plain = (part) => { try { return decodeURIComponent(part); } catch { return part; } };
  const [name, task, id, number, ...more] = address.slice(3).split("/").map(plain);
  if (more.length > 0) return undefined;
  for (const group of groups) {
    if (runs[group.run].name !== name || problems[group.problem].id !== id || problems[group.problem].task !== task) continue;
    for (const n of numbersIn(group)) if (String(samples.index[n]) === number) return n;
  }
  return undefined;
}

// Texts. A piece is in the page, or in a script beside it that calls harnessChunk.

const pieceOf = (n) => {
  let low = 0;
  let high = starts.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (starts[middle] <= n) low = middle;
    else high = middle - 1;
  }
  return low;
};

const expected = new Map();
const policy = window.trustedTypes?.createPolicy("harness", { createScriptURL: (url) => url });

window.harnessChunk = (name, payload) => expected.get(name)?.(payload);

function beside(number) {
  const name = files.names[number];
  return new Promise((resolve, reject) => {
    const url = `${files.folder}/${name}.js`;
    const script = document.createElement("script");
    const done = (settle, value) => {
      expected.delete(name);
      script.remove();
      settle(value);
    };
    expected.set(name, (payload) => done(resolve, payload));
    script.onerror = () => done(reject, new Error(
      `${decodeURIComponent(files.folder)}/${name}.js is missing: keep that folder beside this page.`));
    script.src = policy ? policy.createScriptURL(url) : url;
    document.head.append(script);
  });
}

async function unpack(payload) {
  const bytes = Uint8Array.from(atob(payload), (character) => character.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return JSON.parse(await new Response(stream).text());
}

const kept = new Map();

function piece(number) {
  let rows = kept.get(number);
  kept.delete(number);
  if (rows === undefined) {
    const payload = files === null
      ? Promise.resolve(document.getElementById(`chunk-${number}`).textContent)
      : beside(number);
    rows = payload.then(unpack);
    rows.catch(() => kept.delete(number));
  }
  kept.set(number, rows);
  if (kept.size > KEPT_PIECES) kept.delete(kept.keys().next().value);
  return rows;
}

async function textsOf(n) {
  const number = pieceOf(n);
  return (await piece(number))[n - starts[number]];
}

// Agreement: of each problem, how many samples of each run are right.

const rates = problems.map(() => new Map());
for (const group of groups) {
  const rate = rates[group.problem].get(group.run) ?? { right: 0, of: 0 };
  for (const n of numbersIn(group)) rate.right += samples.verdict[n] === CORRECT;
  rate.of += group.end - group.start;
  rates[group.problem].set(group.run, rate);
}

// Of a problem's samples, of one run or of all, how many there are and how many are right.
function rateOf(problem, run = null) {
  const sum = { right: 0, of: 0 };
  for (const [number, rate] of rates[problem]) {
    if (run !== null && number !== run) continue;
    sum.right += rate.right;
    sum.of += rate.of;
  }
  return sum;
}

function samplesDisagree(problem, run) {
  const { right, of } = rateOf(problem, run);
  return right > 0 && right < of;
}

// One run mostly right where another is mostly wrong.
function runsDisagree(problem) {
  const shares = [...rates[problem].values()].map((rate) => rate.right / rate.of);
  return shares.some((share) => share > 0.5) && shares.some((share) => share < 0.5);
}

// Filters and search.

const lower = (text) => (text ?? "").toLowerCase();
const problemWords = problems.map(({ id, task, statement, answer }) =>
  [id, task, statement, answer].map(lower).join("\n"));
const answerWords = answers.map(lower);
const runWords = runs.map(({ name, model }) => lower(`${name}\n${model}`));

// In the order of the page: by task and problem, the runs of a problem beside each other.
const ordered = [...groups].sort((a, b) => a.problem - b.problem || a.run - b.run);
const natural = ordered.flatMap((group) => [...numbersIn(group)]);

function passes(filters) {
  const run = filters.run === "" ? null : runs.findIndex(({ name }) => name === filters.run);
  const verdict = filters.verdict === "" ? null : verdicts.indexOf(filters.verdict);
  const chosen = problems.map(({ id, task }, problem) =>
    (filters.task === "" || task === filters.task) &&
    (filters.problem === "" || id === filters.problem) &&
    (filters.split !== "samples" || samplesDisagree(problem, run)) &&
    (filters.split !== "runs" || runsDisagree(problem)));
  return (n) => chosen[samples.problem[n]] &&
    (run === null || samples.run[n] === run) && (verdict === null || samples.verdict[n] === verdict);
}

function select(filters, inTexts) {
  const query = lower(filters.q.trim());
  const passing = passes(filters);
  const inProblem = problemWords.map((text) => text.includes(query));
  const inAnswer = answerWords.map((text) => text.includes(query));
  const inRun = runWords.map((text) => text.includes(query));
  const found = natural.filter((n) => passing(n) && (query === "" || inProblem[samples.problem[n]] ||
    inRun[samples.run[n]] || (samples.answer[n] >= 0 && inAnswer[samples.answer[n]]) ||
    (inTexts?.has(n) ?? false)));
  if (filters.order === "long") {
    found.sort((a, b) => (samples.tokens[b] ?? -1) - (samples.tokens[a] ?? -1));
  } else if (filters.order === "hard") {
    const shares = problems.map((_, problem) => rateOf(problem).right / rateOf(problem).of);
    found.sort((a, b) => shares[samples.problem[a]] - shares[samples.problem[b]]);
  }
  return found;
}

// The numbers of the samples whose texts hold the query; `proceed` is called with the progress and may stop it.
async function searchTexts(filters, proceed) {
  const passing = passes(filters);
  const wanted = new Map();
  for (const n of natural) {
    if (!passing(n)) continue;
    const number = pieceOf(n);
    if (!wanted.has(number)) wanted.set(number, []);
    wanted.get(number).push(n);
  }
  const literal = filters.q.trim().replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  const query = new RegExp(literal, "iu");
  const hits = new Set();
  let done = 0;
  for (const [number, numbers] of [...wanted].sort((a, b) => a[0] - b[0])) {
    if (!proceed(done++, wanted.size, hits.size)) return null;
    const rows = await piece(number);
    for (const n of numbers) {
      const { reasoning, response } = rows[n - starts[number]];
      if (query.test(reasoning ?? "") || query.test(response ?? "")) hits.add(n);
    }
  }
  return hits;
}
