// One sample, as a person reads it.

const swatch = (verdict) => element("span", { class: `swatch ${verdict}`, "aria-hidden": "true" });
const verdictOf = (n) => verdicts[samples.verdict[n]];
const number = (value) => value.toLocaleString("en-US");

function badge(verdict) {
  return element("span", { class: "badge" }, swatch(verdict), words(verdict));
}

function factsOf(texts) {
  const { n_reasoning_tokens: inReasoning, n_tokens: all, seconds, finish_reason: finish } = texts;
  const facts = [];
  if (inReasoning !== null) facts.push(["Reasoning", `${number(inReasoning)} tokens`]);
  if (all !== null && inReasoning !== null) facts.push(["Response", `${number(all - inReasoning)} tokens`]);
  else if (all !== null) facts.push(["Length", `${number(all)} tokens`]);
  if (texts.n_prompt_tokens !== null) facts.push(["Prompt", `${number(texts.n_prompt_tokens)} tokens`]);
  if (seconds !== null) facts.push(["Time", `${seconds.toFixed(seconds < 10 ? 2 : 0)} s`]);
  if (finish !== "unknown") facts.push(["Ended", { stop: "by itself", length: "at the cap" }[finish] ?? finish]);
  if (texts.seed !== null) facts.push(["Seed", String(texts.seed)]);
  return facts.length === 0 ? null : element("dl", { class: "facts" }, ...facts.map(([name, value]) =>
    element("div", {}, element("dt", {}, name), element("dd", {}, value))));
}

// The other samples of this problem, a row per run: where they disagree shows at a glance.
function siblings(n) {
  const rows = ordered.filter((group) => group.problem === samples.problem[n]);
  const cells = rows.flatMap((group) => {
    const name = plainText(runs[group.run].name);
    const others = [...numbersIn(group)];
    const right = others.filter((other) => samples.verdict[other] === CORRECT).length;
    return [
      element("span", { class: "who" }, name),
      element("span", { class: "right" }, `${right}/${others.length}`),
      element("span", { class: "squares" }, ...others.map((other) => {
        const label = `${name}, sample ${samples.index[other]}: ${words(verdictOf(other)).toLowerCase()}`;
        return element("a", {
          href: addressOf(other), title: label, "aria-label": label,
          class: `square ${verdictOf(other)}`, "aria-current": other === n && "true",
        });
      })),
    ];
  });
  return element("div", { class: "siblings", role: "group", "aria-label": "All samples of this problem" }, ...cells);
}

function part(title, ...children) {
  return element("section", { class: "part" }, element("h3", {}, title), ...children);
}

function problemPart(n, texts, options) {
  const problem = problems[samples.problem[n]];
  const template = document.getElementById(`problem-${samples.problem[n]}`);
  const shown = element("div", { class: "statement prose" });
  if (template && !options.written) shown.replaceChildren(...cloned(template, ".statement").childNodes);
  else shown.append(...plainNodes(problem.statement));
  const nodes = [shown];
  if (problem.choices) {
    const order = texts.choice_order ?? problem.choices.map((_, choice) => choice);
    const set = template ? [...cloned(template, ".choices").children] : [];
    nodes.push(element("ol", { class: "choices" }, ...order.map((choice) => {
      const text = problem.choices[choice];
      const item = element("li");
      if (set[choice] && !options.written) item.replaceChildren(...set[choice].childNodes);
      else item.append(...plainNodes(text ?? ""));
      if (text === problem.answer) item.append(" ", element("span", { class: "mark" }, "reference"));
      if (text === answerOf(n)) item.append(" ", element("span", { class: "mark" }, "chosen"));
      return item;
    })));
  }
  return part("Problem", ...nodes);
}

function cloned(template, selector) {
  return template.content.querySelector(selector).cloneNode(true);
}

function answersPart(n, texts, options) {
  const problem = problems[samples.problem[n]];
  const cells = [];
  const code = PROGRAM.exec(answerOf(n) ?? "");
  const found = element("dd", { class: "value prose" });
  if (code) found.append(`${code[1] === "python" ? "Python" : "C++"} program`);
  else if (answerOf(n) !== null) fillAnswer(found, answerOf(n), options);
  else found.append(element("span", { class: "quiet" }, "none"));
  cells.push(element("div", {}, element("dt", {}, code ? "Submission" : "Extracted answer"), found));
  if (problem.answer !== null) {
    const reference = element("dd", { class: "value prose" });
    const template = document.getElementById(`problem-${samples.problem[n]}`);
    if (template && !options.written) reference.replaceChildren(...cloned(template, ".reference").childNodes);
    else reference.append(...plainNodes(problem.answer));
    cells.push(element("div", {}, element("dt", {}, "Reference answer"), reference));
  }
  const decided = [reasonOf(texts).by, ...Object.entries(texts.also ?? {}).map(
    ([scoring, verdict]) => `${scoring}: ${words(verdict).toLowerCase()}`)].filter(Boolean);
  if (decided.length) {
    cells.push(element("div", {}, element("dt", {}, "Decided by"),
      element("dd", { class: "prose" }, ...plainNodes(decided.join("; ")))));
  }
  return element("dl", { class: "answers" }, ...cells);
}

function excerptOf({ text, length }) {
  const nodes = [element("pre", { tabindex: "0" }, ...plainNodes(text))];
  if (length > text.length) {
    nodes.push(element("p", { class: "quiet" },
      `The first ${number(text.length)} of ${number(length)} characters.`));
  }
  return nodes;
}

// What settled a grade; of a failed test, what it said of the failure stands beside the test.
function reasonOf({ detail, test }) {
  const named = test ? /^(test \d+)(?:: ([^]*))?$/.exec(detail) : null;
  return named ? { by: named[1], failure: named[2] ?? "" } : { by: detail, failure: "" };
}

function testPart(texts) {
  const { number: place, of, function: name, input, output } = texts.test;
  const { failure } = reasonOf(texts);
  const title = `Failed at test ${place} of ${of}${name ? `, calling ${name}` : ""}`;
  const said = failure ? element("p", { class: "failure" },
    ...plainNodes(failure[0].toUpperCase() + failure.slice(1))) : null;
  return part(title, said, element("div", { class: "test" },
    element("div", {}, element("h4", {}, name ? "Arguments" : "Input"), ...excerptOf(input)),
    element("div", {}, element("h4", {}, name ? "Value due" : "Output due"), ...excerptOf(output))));
}

function reasoningPart(texts, options) {
  const size = texts.n_reasoning_tokens === null
    ? `${number(texts.reasoning.length)} characters` : `${number(texts.n_reasoning_tokens)} tokens`;
  const body = element("div", { class: "prose" });
  const fold = element("details", { class: "reasoning", open: options.unfolded },
    element("summary", {}, "Reasoning ", element("span", { class: "quiet" }, size)), body);
  let filled = false;
  const fill = () => {
    if (!fold.open || filled) return;
    filled = true;
    fillText(body, texts.reasoning, options);
  };
  fold.addEventListener("toggle", () => {
    fill();
    options.folded(fold.open);
  });
  fill();
  return fold;
}

function responsePart(texts, options) {
  if (texts.response === null) {
    return part("Response", element("p", { class: "quiet" }, "None: the reasoning never ended."));
  }
  const body = element("div", { class: "prose" });
  const node = part("Response", body);
  fillText(body, texts.response, options);
  return node;
}

// Everything below the heading; `options` are written, unfolded and folded(open).
function bodyOf(n, texts, options) {
  const hidden = problems[samples.problem[n]].statement === null;
  if (hidden) {
    return [factsOf(texts), element("p", { class: "quiet" },
      "Statements, answers and texts of this task are hidden; --show-masked shows them.")].filter(Boolean);
  }
  return [
    factsOf(texts),
    problemPart(n, texts, options),
    answersPart(n, texts, options),
    texts.test ? testPart(texts) : null,
    texts.reasoning ? reasoningPart(texts, options) : null,
    responsePart(texts, options),
  ].filter(Boolean);
}
