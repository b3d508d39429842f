// Texts of samples as nodes of the page. What a model wrote is hostile: it becomes text nodes and
// a known few elements built here, never markup. The rules for formulas and code are those of
// markup.py, as a scanner whose cost is linear in the text.

const LONGEST = { "$": 1000, "\\(": 1000, "$$": 4000, "\\[": 4000 };
const CLOSES = { "$": "$", "$$": "$$", "\\(": "\\)", "\\[": "\\]" };
const SLICE = 12; // milliseconds of setting formulas before the page may react again
const MOST_FORMULAS = 4000; // of one text; what follows stays as written
const MOST_MARKS = 2000;

function element(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    node.setAttribute(key, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

// Controls that move or hide what follows are shown by name, in the order of the text.
const CONTROLS = /([\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff])\1*/g;
const NAMES = {
  "\u061c": "ALM", "\u200b": "ZWSP", "\u200e": "LRM", "\u200f": "RLM", "\u202a": "LRE",
  "\u202b": "RLE", "\u202c": "PDF", "\u202d": "LRO", "\u202e": "RLO", "\u2060": "WJ",
  "\u2066": "LRI", "\u2067": "RLI", "\u2068": "FSI", "\u2069": "PDI", "\ufeff": "BOM",
};

const nameOf = (character) => NAMES[character] ??
  `U+${character.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}`;

// Where no element may stand.
const plainText = (text) => text.replace(CONTROLS, (_, character) => `[${nameOf(character)}]`);

// Letters that join, as in Arabic, are shaped again to the end of their word at every line of it, so a
// word of very many costs their square: pieces of it are laid out each for itself.
const LONGEST_WORD = 1000;
const LONG_WORDS = /\S{1001,}/gu;

function textNodes(text) {
  if (text.length <= LONGEST_WORD) return [document.createTextNode(text)];
  const nodes = [];
  let end = 0;
  for (const found of text.matchAll(LONG_WORDS)) {
    if (found.index > end) nodes.push(document.createTextNode(text.slice(end, found.index)));
    for (const [piece] of found[0].matchAll(/.{1,1000}/gu)) nodes.push(element("span", { class: "piece" }, piece));
    end = found.index + found[0].length;
  }
  if (end < text.length) nodes.push(document.createTextNode(text.slice(end)));
  return nodes;
}

function plainNodes(written) {
  const text = written.replaceAll("\r\n", "\n");
  if ((text.match(CONTROLS)?.length ?? 0) > MOST_MARKS) return textNodes(plainText(text));
  const nodes = [];
  let end = 0;
  for (const found of text.matchAll(CONTROLS)) {
    const character = found[1];
    const times = found[0].length;
    if (found.index > end) nodes.push(...textNodes(text.slice(end, found.index)));
    const name = nameOf(character);
    nodes.push(element("span", { class: "control" }, times > 1 ? `${name} ×${times}` : name));
    end = found.index + times;
  }
  if (end < text.length) nodes.push(...textNodes(text.slice(end)));
  return nodes;
}

// Pieces of a text: {kind: "text" | "code" | "math", text, source, tag, display}.
function* pieces(text) {
  const special = /[$\\`~]/g;
  let start = 0;
  let at = 0;
  let formulas = 0;
  const upTo = (end) => ({ kind: "text", text: text.slice(start, end) });
  while (at < text.length) {
    special.lastIndex = at;
    const next = special.exec(text);
    if (next === null || formulas > MOST_FORMULAS) break;
    at = next.index;
    const piece = fenceAt(text, at) ?? formulaAt(text, at);
    if (piece === null) {
      at += text[at] === "\\" ? 2 : 1;
      continue;
    }
    if (at > start) yield upTo(at);
    yield piece;
    formulas += piece.kind === "math";
    start = at = at + piece.source.length;
  }
  if (start < text.length) yield upTo(text.length);
}

function fenceAt(text, at) {
  const mark = text[at];
  if (mark !== "`" && mark !== "~") return null;
  // At most three blanks before it on its line; never more than those are read.
  let first = at;
  while (first > 0 && at - first < 4 && text[first - 1] === " ") first--;
  if (at - first > 3 || (first > 0 && text[first - 1] !== "\n")) return null;
  let width = 0;
  while (text[at + width] === mark) width++;
  if (width < 3) return null;
  let head = text.indexOf("\n", at);
  if (head < 0) head = text.length;
  const title = text.slice(at + width, head);
  if (title.includes("`")) return null;
  const fence = mark.repeat(width);
  let close = head;
  let end = text.length;
  for (;;) { // a line that holds nothing but the closing fence
    close = text.indexOf("\n", close);
    if (close < 0) break;
    const line = close + 1 + (/^ {0,3}/.exec(text.slice(close + 1, close + 4))[0].length);
    if (text.startsWith(fence, line)) {
      let stop = text.indexOf("\n", line);
      if (stop < 0) stop = text.length;
      if (text.slice(line, stop).replaceAll(mark, "").trim() === "") {
        end = stop;
        break;
      }
    }
    close += 1;
  }
  const body = text.slice(Math.min(head + 1, text.length), close < 0 ? text.length : close);
  return { kind: "code", text: body, tag: title.trim().split(/\s/)[0], source: text.slice(at, end) };
}

function formulaAt(text, at) {
  let open = text[at];
  if (open === "\\") open += text[at + 1] ?? "";
  else if (open === "$" && text[at + 1] === "$") open = "$$";
  if (!(open in CLOSES)) return null;
  const first = at + open.length;
  const room = text.slice(first, first + LONGEST[open] + 2);
  let end = room.indexOf(CLOSES[open]);
  while (open === "$" && end > 0 && room[end - 1] === "\\") end = room.indexOf("$", end + 1);
  if (end <= 0) return null;
  const inner = room.slice(0, end);
  if (inner.trim() === "" || inner.includes("\n\n")) return null;
  if (open === "$" && (/^\s|\s$/.test(inner) || /\d/.test(room[end + 1] ?? ""))) return null;
  return {
    kind: "math", text: inner, display: open === "$$" || open === "\\[",
    source: open + inner + CLOSES[open],
  };
}

// Mathematics: Temml's tree is walked here and rebuilt from these names alone.

const MATHML = "http://www.w3.org/1998/Math/MathML";
const ELEMENTS = new Set(("math mrow mi mn mo ms mtext mspace msqrt mroot mfrac msub msup msubsup " +
  "munder mover munderover mmultiscripts mprescripts mtable mtr mtd mstyle mpadded mphantom " +
  "menclose").split(" "));
const ATTRIBUTES = new Set(("display displaystyle scriptlevel mathvariant stretchy lspace rspace " +
  "fence separator form symmetric movablelimits largeop accent accentunder linethickness " +
  "columnalign rowspacing columnspacing width height depth voffset minsize maxsize notation")
  .split(" "));
const STYLES = new Set(("border padding paddingLeft paddingRight paddingTop paddingBottom textAlign " +
  "borderTop borderBottom borderLeft borderRight").split(" "));
const CLASSES = new Set(("tml-right tml-left tml-jot tml-small tml-overline tml-underline tml-fbox " +
  "tml-cancel upstrike downstrike tml-xcancel")
  .split(" "));
const VALUE = /^[-+\w.% ]{1,60}$/;
const FAR = /\d{3,}(?:\.\d*)?\s*(?:em|ex|pt|px|cm|mm|in|%)/; // a length that leaves its place
const MOST_NODES = 4000;
const formulas = new Map();

function harmless(value) {
  return VALUE.test(value) && (!FAR.test(value) || /^\s*100%\s*$/.test(value));
}

function rebuilt(tree, budget) {
  if (--budget.left < 0) throw new RangeError("too large a formula");
  if (typeof tree.text === "string" && !tree.type) return document.createTextNode(tree.text);
  const children = (tree.children ?? []).map((child) => rebuilt(child, budget));
  if (!ELEMENTS.has(tree.type)) {
    const fragment = document.createDocumentFragment();
    fragment.append(...children);
    return fragment;
  }
  const node = document.createElementNS(MATHML, tree.type);
  for (const [name, value] of Object.entries(tree.attributes ?? {})) {
    if (ATTRIBUTES.has(name) && harmless(String(value))) node.setAttribute(name, String(value));
  }
  for (const [name, value] of Object.entries(tree.style ?? {})) {
    if (STYLES.has(name) && harmless(String(value))) node.style[name] = String(value);
  }
  const classes = (tree.classes ?? []).filter((name) => CLASSES.has(name));
  if (classes.length) node.setAttribute("class", classes.join(" "));
  node.append(...children);
  return node;
}

const setsMathematics = typeof temml === "object" && "__renderToMathMLTree" in temml;

// A <math> element, or null for what cannot be set and stays as written.
function mathNode(latex, display) {
  const key = (display ? "d" : "i") + latex;
  if (!formulas.has(key)) {
    if (formulas.size > 5000) formulas.clear();
    formulas.set(key, setFormula(latex, display));
  }
  return formulas.get(key)?.cloneNode(true) ?? null;
}

function setFormula(latex, display) {
  if (!setsMathematics || latex.search(CONTROLS) >= 0) return null;
  try {
    const tree = temml.__renderToMathMLTree(latex, {
      displayMode: display, throwOnError: true, trust: false, strict: false, maxSize: [10, 10],
      maxExpand: 200,
    });
    const node = rebuilt(tree, { left: MOST_NODES });
    return node.nodeName.toLowerCase() === "math" ? node : null;
  } catch { // not LaTeX, or more than it may cost
    return null;
  }
}

// Code in colour: comments, strings, numbers and words of Python and C++.

const WORDS = new Set(("and as assert async await break case class continue def del elif else except " +
  "finally for from global if import in is lambda match nonlocal not or pass raise return try while " +
  "with yield None True False auto bool char const constexpr double enum float int long namespace " +
  "operator private public short signed sizeof static struct switch template this throw typename " +
  "unsigned using virtual void do default new delete nullptr true false").split(" "));
const TOKENS = {
  python: /(?<c>#[^\n]*)|(?<s>"""[^]{0,5000}?"""|'''[^]{0,5000}?'''|"(?:\\.|[^"\\\n]){0,2000}"|'(?:\\.|[^'\\\n]){0,2000}')|(?<n>\b\d[\w.]{0,40})|(?<w>[A-Za-z_]\w*)/g,
  cpp: /(?<c>\/\/[^\n]*|\/\*[^]{0,5000}?\*\/|^[ \t]*#[^\n]*)|(?<s>"(?:\\.|[^"\\\n]){0,2000}"|'(?:\\.|[^'\\\n]){0,20}')|(?<n>\b\d[\w.]{0,40})|(?<w>[A-Za-z_]\w*)/gm,
};
const MOST_CODE = 40000;

function codeNode(code, tag) {
  const inner = element("code");
  const name = /^(c|cc|cpp|cxx|c\+\+\d*|cpp\d+)$/i.test(tag) ? "cpp" : /^py/i.test(tag) ? "python" : null;
  let end = 0;
  if (name !== null && code.length <= MOST_CODE) {
    for (const found of code.matchAll(TOKENS[name])) {
      const { c, s, n, w } = found.groups;
      const colour = c ? "c" : s ? "s" : n ? "n" : w && WORDS.has(w) ? "k" : null;
      if (colour === null) continue;
      inner.append(...plainNodes(code.slice(end, found.index)));
      inner.append(element("span", { class: colour }, ...plainNodes(found[0])));
      end = found.index + found[0].length;
    }
  }
  inner.append(...plainNodes(code.slice(end)));
  return element("pre", { tabindex: "0" }, inner);
}

// Fill an element with a text. Formulas first stand as written and are set slice by slice, so that
// reasoning of a thousand of them does not block the page.
function fillText(target, text, { written = false } = {}) {
  target.replaceChildren();
  if (written) {
    target.append(...plainNodes(text));
    return;
  }
  text = text.replace(/^(?:[ \t]*\r?\n)+|\s+$/g, "");
  const waiting = [];
  let block = false; // a block has margins, which stand for the line breaks beside it
  for (const piece of pieces(text)) {
    const before = block;
    block = piece.kind === "code" || (piece.kind === "math" && piece.display && setsMathematics);
    const last = target.lastChild;
    if (block && last?.nodeType === Node.TEXT_NODE) last.data = last.data.trimEnd();
    if (piece.kind === "code") target.append(codeNode(piece.text, piece.tag));
    else if (piece.kind === "text") {
      target.append(...plainNodes(before ? piece.text.trimStart() : piece.text));
    } else {
      const span = element("span", { class: "formula" }, ...plainNodes(piece.source));
      waiting.push([span, piece]);
      target.append(span);
    }
  }
  let next = 0;
  const work = () => {
    for (const until = performance.now() + SLICE; next < waiting.length && performance.now() < until; next++) {
      const [span, piece] = waiting[next];
      const node = span.parentNode && mathNode(piece.text, piece.display);
      if (node) span.replaceChildren(node);
    }
    if (next === waiting.length) reachable(target);
    else if (next === 0 || target.isConnected) setTimeout(work);
  };
  if (setsMathematics) work();
  else reachable(target);
}

// What scrolls sideways can be reached, and so scrolled, by keyboard.
function reachable(target) {
  if (target.isConnected && target.scrollWidth > target.clientWidth) target.tabIndex = 0;
}

// An extracted answer: LaTeX without delimiters where it looks like it.
function fillAnswer(target, text, { written = false } = {}) {
  const bare = !text.includes("$") && /\\[a-zA-Z]|[\^_{}]/.test(text) && text.length <= LONGEST["$$"];
  const node = bare && !written ? mathNode(text, false) : null;
  if (node) target.replaceChildren(node);
  else fillText(target, text, { written });
}
