// The browser itself: one sample, addresses, keys, light and dark.

// One sample

async function open(n, { focus = false } = {}) {
  const first = state.current === null;
  state.current = n;
  document.body.classList.add("reading");
  turnTo(n, { first });
  const detail = by("detail");
  const problem = problems[samples.problem[n]];
  const head = element("header", {},
    element("a", { href: listAddress(), class: "to-list" }, "All samples"),
    element("div", { class: "line" },
      element("p", { class: "path" }, plainText(`${problem.task} · ${runs[samples.run[n]].name}`)),
      problem.statement === null ? null : writtenButton()),
    element("div", { class: "headline" }, element("h2", {}, ...plainNodes(problem.id),
      element("span", { class: "quiet" }, ` #${samples.index[n]}`)), badge(verdictOf(n))),
    siblings(n));
  detail.replaceChildren(head);
  detail.setAttribute("aria-label", `Sample ${samples.index[n]} of ${plainText(problem.id.slice(0, 200))}`);
  detail.querySelector(".square[aria-current]").scrollIntoView({ block: "nearest", inline: "center" });
  detail.scrollTop = 0;
  if (focus) detail.focus({ preventScroll: true });
  document.title = `${plainText(problem.id.slice(0, 200))} #${samples.index[n]} · ${pageTitle}`;
  try {
    const texts = await textsOf(n);
    if (state.current !== n) return;
    detail.append(...bodyOf(n, texts, {
      written: state.written, unfolded: state.unfolded,
      folded: (isOpen) => { state.unfolded = isOpen; },
    }));
    for (const node of detail.querySelectorAll(".prose")) reachable(node);
  } catch (error) {
    if (state.current === n) detail.append(element("p", { class: "alert", role: "alert" }, error.message));
  }
}

function writtenButton() {
  const button = element("button", {
    type: "button", id: "as-written", "aria-pressed": String(state.written),
  }, "As written");
  button.addEventListener("click", toggleWritten);
  return button;
}

async function toggleWritten() {
  if (state.current === null) return;
  state.written = !state.written;
  const focused = document.activeElement?.id === "as-written";
  await open(state.current);
  if (focused) by("as-written").focus();
}

function step(way) {
  const place = state.found.indexOf(state.current);
  const next = state.found[place < 0 ? 0 : place + way];
  if (next !== undefined) location.hash = addressOf(next);
}

// Addresses: # is the report, #b the list with its filters, #s/.. one sample.

const pageTitle = document.title;

function follow() {
  const { hash } = location;
  const [kind, query] = hash.split("?", 2);
  const browsing = kind === "#b" || hash.startsWith("#s/");
  if (browsing && by("browser").hidden) state.scroll = window.scrollY;
  const cameBack = !browsing && !by("browser").hidden;
  by("browser").hidden = !browsing;
  document.body.classList.toggle("browsing", browsing);
  if (!browsing) {
    document.title = pageTitle;
    if (cameBack && hash === "") window.scrollTo(0, state.scroll);
    else if (cameBack) document.getElementById(decodeURIComponent(hash.slice(1)))?.scrollIntoView();
    return;
  }
  if (kind === "#b") showListAt(query);
  else showSampleAt(hash);
}

function showListAt(query) {
  const asked = Object.fromEntries(new URLSearchParams(query ?? ""));
  const filters = Object.fromEntries(Object.keys(NO_FILTERS).map((name) => [name, asked[name] ?? ""]));
  if (filters.q !== state.filters.q) forgetTexts();
  state.filters = filters;
  state.current = null;
  offerProblems();
  document.body.classList.remove("reading");
  document.title = `Samples · ${pageTitle}`;
  by("detail").replaceChildren(element("p", { class: "empty" }, "Choose a sample, or press ",
    element("kbd", {}, "j"), "."));
  by("detail").setAttribute("aria-label", "Sample");
  apply({ keepPage: true });
}

function showSampleAt(hash) {
  const n = sampleAt(hash);
  if (by("samples").childElementCount === 0) apply();
  if (n !== undefined) {
    open(n, { focus: document.activeElement === document.body || narrow.matches });
    return;
  }
  state.current = null;
  document.body.classList.add("reading");
  by("detail").replaceChildren(element("header", {},
    element("a", { href: "#b", class: "to-list" }, "All samples"),
    element("p", { class: "alert", role: "alert" }, "This page has no such sample.")));
}

const narrow = window.matchMedia("(max-width: 52rem)");

// Keys

const typing = (node) => node instanceof HTMLElement && node.matches("input, select, textarea");

function back() {
  if (state.current !== null || document.body.classList.contains("reading")) {
    const before = state.current;
    location.hash = listAddress();
    queueMicrotask(() => before !== null && focusRow(before));
  } else location.hash = "#";
}

function focusRow(n) {
  const row = [...by("samples").querySelectorAll("a")].find((a) => a.getAttribute("href") === addressOf(n));
  row?.focus();
}

const KEYS = {
  j: () => step(1),
  k: () => step(-1),
  t: () => {
    const fold = by("detail").querySelector("details.reasoning");
    if (fold) fold.open = !fold.open;
  },
  m: toggleWritten,
  "/": () => {
    by("query").focus();
    by("query").select();
  },
  "?": () => by("help").showModal(),
  Escape: back,
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || by("browser").hidden || by("help").open) return;
  if (typing(event.target)) {
    if (event.key === "Escape") event.target.blur();
    if (event.key === "Enter" && event.target === by("query")) searchInTexts();
    return;
  }
  const action = Object.hasOwn(KEYS, event.key) ? KEYS[event.key] : null;
  if (action === null) return;
  event.preventDefault();
  action();
});

// Light and dark: as the system says until a reader chooses.

const systemDark = window.matchMedia("(prefers-color-scheme: dark)");

function storedTheme(value) {
  try { // storage may be refused to a page from a folder
    if (value !== undefined) localStorage.setItem("harness-theme", value);
    return localStorage.getItem("harness-theme");
  } catch {
    return value ?? null;
  }
}

function showTheme(theme) {
  if (theme === "dark" || theme === "light") document.documentElement.dataset.theme = theme;
  const dark = (document.documentElement.dataset.theme ?? (systemDark.matches ? "dark" : "light")) === "dark";
  for (const button of document.querySelectorAll("button.theme")) button.textContent = dark ? "Light" : "Dark";
  return dark;
}

for (const button of document.querySelectorAll("button.theme")) {
  button.addEventListener("click", () => {
    const next = button.textContent === "Dark" ? "dark" : "light";
    storedTheme(next);
    showTheme(next);
  });
}
systemDark.addEventListener("change", () => showTheme());
showTheme(storedTheme());

// Start

offer("f-run", runs.map(({ name }) => name));
offer("f-task", [...new Set(problems.map(({ task }) => task))]);
const seen = new Set(samples.verdict);
offer("f-verdict", verdicts.filter((_, verdict) => seen.has(verdict)), words);
offerProblems();
by("samples").classList.toggle("no-tokens", samples.tokens.every((count) => count === null));
by("f-split").querySelector("[value=runs]").hidden = runs.length < 2;
for (const name of ["run", "task", "verdict", "problem", "split", "order"]) {
  by(`f-${name}`).addEventListener("change", (event) => change(name, event.target.value));
}
by("query").addEventListener("input", (event) => change("q", event.target.value.trim()));
by("in-texts").addEventListener("click", searchInTexts);
by("clear").addEventListener("click", () => {
  state.filters = { ...NO_FILTERS };
  offerProblems();
  change("q", "");
});
by("more-filters").addEventListener("click", () => {
  const isOpen = by("choices").classList.toggle("open");
  by("more-filters").setAttribute("aria-expanded", String(isOpen));
});
for (const [id, way] of [["earlier", -1], ["later", 1]]) {
  by(id).addEventListener("click", () => {
    state.page += way;
    showList();
    by("list").scrollTop = 0;
  });
}
by("keys").addEventListener("click", KEYS["?"]);
by("close-help").addEventListener("click", () => by("help").close());
for (const node of document.querySelectorAll(".scripted")) node.hidden = false;
window.addEventListener("hashchange", follow);
follow();
