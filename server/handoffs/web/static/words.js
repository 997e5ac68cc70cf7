// Words of the scripts, in the language of the page: a block in the page has the sentences, by the English ones. A page in
// English has no block. `make words` finds the sentences by the names of these functions.
const block = document.getElementById("words");
const sentences = block ? JSON.parse(block.textContent) : {};
export const language = document.documentElement.lang || "en";

// The reader's own kind of that language, such as en-GB, for dates and numbers.
export const locale = navigator.languages.find((each) => each.toLowerCase().startsWith(language.slice(0, 2))) ?? language;

const rules = new Intl.PluralRules(language);

// Returns a sentence with its values, which stand in braces.
export function _(sentence, values = {}) {
  return filled(sentenceOf(sentence), values);
}

// Returns one of two sentences by a count, which is the value `count` of both.
export function n_(one, many, count, values = {}) {
  return filled(form(one, many, count), { count: count.toLocaleString(language), ...values });
}

// The same, as text and elements: a value may be an element.
export function pieces(sentence, values) {
  return sentenceOf(sentence).split(/(\{\w+\})/).map((piece) => values[/^\{(\w+)\}$/.exec(piece)?.[1]] ?? piece);
}

export function n_pieces(one, many, count, values) {
  return pieces(form(one, many, count), { count: count.toLocaleString(language), ...values });
}

function sentenceOf(english) {
  return sentences[english] ?? english;
}

function form(one, many, count) {
  const forms = sentences[one] ?? [one, many];
  return forms[rules.select(count) === "one" ? 0 : forms.length - 1];
}

function filled(sentence, values) {
  return sentence.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}
