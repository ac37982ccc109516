// Edits with npm's `yaml`, one JSON line in, one out: {text, name, path, value, level} -> {text, seconds} or {error}.
// usage: node editing_npm.mjs FOLDER_WITH_NODE_MODULES
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const { Composer, CST, Parser, parseAllDocuments } = createRequire(process.argv[2] + "/")("yaml");

function isIt(doc, name) {
  return (
    doc.get("kind") === "Service" &&
    String(doc.get("apiVersion")).startsWith("serving.knative.dev/") &&
    doc.getIn(["metadata", "name"]) === name
  );
}

function found(docs, name) {
  const own = docs.filter((doc) => doc.contents?.items && isIt(doc, name));
  if (own.length !== 1) throw new Error(`${own.length} documents are the service`);
  if (own[0].errors.length) throw own[0].errors[0];
  return own[0];
}

function documents({ text, name, path, value, sequences, mapping }) {
  const docs = parseAllDocuments(text);
  found(docs, name).setIn(path, value);
  const options = { lineWidth: 0, indentSeq: sequences > 0, indent: mapping, flowCollectionPadding: false };
  return docs.map((doc) => doc.toString(options)).join("");
}

function tokens({ text, name, path, value }) {
  if (typeof value !== "number") throw new Error("tokens are set, not added");
  const all = [...new Parser().parse(text)];
  const docs = [...new Composer({ keepSourceTokens: true }).compose(all)];
  CST.setScalarValue(found(docs, name).getIn(path, true).srcToken, String(value));
  return all.map((token) => CST.stringify(token)).join("");
}

for await (const line of createInterface({ input: process.stdin })) {
  const asked = JSON.parse(line);
  const begun = process.hrtime.bigint();
  let answer;
  try {
    const text = (asked.level === "tokens" ? tokens : documents)(asked);
    answer = { text, seconds: Number(process.hrtime.bigint() - begun) / 1e9 };
  } catch (error) {
    answer = { error: String(error) };
  }
  process.stdout.write(JSON.stringify(answer) + "\n");
}
