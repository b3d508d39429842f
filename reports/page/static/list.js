// The list of samples and what narrows it.

const PAGE = 100;
const NO_FILTERS = { run: "", task: "", verdict: "", problem: "", split: "", order: "", q: "" };
const by = (id) => document.getElementById(id);
const state = {
  filters: { ...NO_FILTERS }, found: natural, page: 0, current: null, hits: null, searching: 0,
  written: false, unfolded: false, scroll: 0,
};

// The list

function rowOf(n) {
  const answer = answerOf(n);
  const program = PROGRAM.test(answer ?? "");
  const short = program ? words(verdictOf(n)) : answer === null ? "–" : answer.slice(0, 200).replace(/\s+/g, " ");
  return element("li", {},
    element("a", { href: addressOf(n), "aria-current": n === state.current && "true" },
      swatch(verdictOf(n)),
      element("span", { class: program ? "answer word" : "answer" },
        element("span", { class: "unseen" }, program ? "" : `${words(verdictOf(n))}: `), ...plainNodes(short)),
      element("span", { class: "which" }, runs.length > 1
        ? `${plainText(runs[samples.run[n]].name)} #${samples.index[n]}` : `#${samples.index[n]}`),
      element("span", { class: "tokens" }, samples.tokens[n] === null ? "" : number(samples.tokens[n]))));
}

// The rows of a page under the problems that they belong to.
function* rowsOf(numbers) {
  let before = null;
  for (const n of numbers) {
    const place = samples.problem[n];
    if (place !== before) {
      const problem = problems[place];
      const { right, of } = rateOf(place);
      yield element("li", { class: "group" },
        element("span", { class: "id" }, ...plainNodes(problem.id.slice(0, 200))),
        element("span", { class: "rate" }, `${right}/${of} right`),
        element("span", { class: "excerpt" }, ...plainNodes((problem.statement ?? "").slice(0, 200).replace(/\s+/g, " "))));
      before = place;
    }
    yield rowOf(n);
  }
}

function showList() {
  const { found } = state;
  const last = Math.max(0, Math.ceil(found.length / PAGE) - 1);
  state.page = Math.min(state.page, last);
  const from = state.page * PAGE;
  by("samples").replaceChildren(...rowsOf(found.slice(from, from + PAGE)));
  by("pages").hidden = last === 0;
  by("earlier").disabled = state.page === 0;
  by("later").disabled = state.page === last;
  by("pages").querySelector("span").textContent =
    `${number(Math.min(from + 1, found.length))}–${number(Math.min(from + PAGE, found.length))}`;
  showCount();
}

function showCount() {
  const shown = new Set();
  for (const n of state.found) shown.add(samples.problem[n]);
  const of = shown.size;
  const found = state.found.length === 0 ? "No sample matches"
    : `${plural(state.found.length, "sample")} of ${plural(of, "problem")}`;
  const more = state.filters.q !== "" && state.hits === null ? "; Enter searches their texts too" : "";
  by("count").textContent = found + more;
}

const plural = (count, noun) => `${number(count)} ${noun}${count === 1 ? "" : "s"}`;

function turnTo(n, { first = false } = {}) {
  const place = state.found.indexOf(n);
  const turned = place >= 0 && Math.floor(place / PAGE) !== state.page;
  if (turned) {
    state.page = Math.floor(place / PAGE);
    showList();
  }
  for (const link of by("samples").querySelectorAll("a")) {
    const here = n !== null && link.getAttribute("href") === addressOf(n);
    if (here) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
    if (here) link.scrollIntoView({ block: turned || first ? "center" : "nearest" });
  }
}

// Filters

function apply({ keepPage = false } = {}) {
  state.found = select(state.filters, state.hits);
  if (!keepPage) state.page = 0;
  for (const name of ["run", "task", "verdict", "problem", "split", "order"]) {
    by(`f-${name}`).value = state.filters[name];
  }
  if (by("query").value.trim() !== state.filters.q) by("query").value = state.filters.q;
  by("in-texts").disabled = state.filters.q === "";
  by("clear").hidden = Object.values(state.filters).every((value) => value === "");
  showList();
  if (!keepPage) by("list").scrollTop = 0;
}

function change(name, value) {
  state.filters = { ...state.filters, [name]: value };
  if (name === "task") {
    offerProblems();
    if (!problems.some((p) => p.id === state.filters.problem && (value === "" || p.task === value))) {
      state.filters.problem = "";
    }
  }
  const searchAgain = name !== "q" && state.hits !== null;
  forgetTexts();
  apply();
  turnTo(state.current);
  if (searchAgain) searchInTexts();
  if (state.current === null) history.replaceState(null, "", listAddress());
}

function forgetTexts() {
  state.hits = null;
  state.searching += 1;
}

function listAddress() {
  const set = Object.entries(state.filters).filter(([, value]) => value !== "");
  return set.length ? `#b?${new URLSearchParams(set)}` : "#b";
}

function offer(id, values, label = (value) => value) {
  const select = by(id);
  select.replaceChildren(element("option", { value: "" }, "all"),
    ...values.map((value) => element("option", { value }, plainText(label(value)).slice(0, 200))));
  select.parentElement.hidden = values.length < 2;
}

function offerProblems() {
  const { task } = state.filters;
  const ids = problems.filter((p) => task === "" || p.task === task).map((p) => p.id);
  offer("f-problem", [...new Set(ids)]);
}

async function searchInTexts() {
  if (state.filters.q === "") return;
  forgetTexts();
  const turn = state.searching;
  try {
    const hits = await searchTexts(state.filters, (done, of, found) => {
      if (turn !== state.searching) return false;
      by("count").textContent = `Searching texts: ${done} of ${of} parts, ${plural(found, "sample")} so far`;
      return true;
    });
    if (hits === null) return;
    state.hits = hits;
    apply();
    turnTo(state.current);
    by("count").textContent += `, ${number(hits.size)} by their texts`;
  } catch (error) {
    by("count").textContent = error.message;
  }
}
