// Writes src/data/api.gen.ts: the types of the native API, from the document that the
// program itself serves at /api/v1/openapi.json.
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import openapiTS, { astToString } from "openapi-typescript";

const root = new URL("../..", import.meta.url).pathname;
const document = execFileSync("go", ["run", "./api/rest/document"], {
  cwd: root,
  maxBuffer: 64 << 20,
});
const types = astToString(await openapiTS(JSON.parse(document.toString())));
writeFileSync(new URL("../src/data/api.gen.ts", import.meta.url), types);
