// Compresses what vite has built into dist/, which the program embeds, and holds it to
// its size: of the first page, and of all of it, in bytes after gzip. Zopfli makes gzip
// that is some 3 % smaller, slowly: what it has made once is kept by its content.
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { createHash } from "node:crypto";
import { createRequire } from "node:module";

const zopfli = createRequire(import.meta.url)("@gfx/zopfli");

const FIRST = 300 * 1024;
const ALL = 450 * 1024;
const build = new URL("../build/", import.meta.url).pathname;
const dist = new URL("../dist/", import.meta.url).pathname;

const kept = new URL("../node_modules/.cache/pack/", import.meta.url).pathname;
mkdirSync(kept, { recursive: true });

async function pack(source) {
  const file = join(kept, createHash("sha256").update(source).digest("hex"));
  if (existsSync(file)) return readFileSync(file);
  const packed = await zopfli.gzipAsync(source, { numiterations: 15 });
  writeFileSync(`${file}.new`, packed);
  renameSync(`${file}.new`, file);
  return packed;
}

rmSync(join(dist, "assets"), { recursive: true, force: true });
const sizes = new Map();
for (const entry of readdirSync(build, { recursive: true, withFileTypes: true })) {
  if (!entry.isFile() || entry.parentPath.endsWith(".vite")) continue;
  const path = join(entry.parentPath, entry.name);
  const name = path.slice(build.length);
  const source = readFileSync(path);
  const packed = await pack(source);
  sizes.set(name, packed.length);
  mkdirSync(dirname(join(dist, name)), { recursive: true });
  // The document gets a nonce with each answer, so it stays as it is.
  if (name === "index.html") writeFileSync(join(dist, name), source);
  else writeFileSync(join(dist, `${name}.gz`), packed);
}

// The first load is the document, the entry, home, and all that these import.
const manifest = JSON.parse(readFileSync(join(build, ".vite/manifest.json"), "utf8"));
const first = new Set(["index.html"]);
function load(key) {
  const chunk = manifest[key];
  if (!chunk || first.has(chunk.file)) return;
  for (const name of [chunk.file, ...(chunk.css ?? []), ...(chunk.assets ?? [])]) first.add(name);
  (chunk.imports ?? []).forEach(load);
}
load("index.html");
load("src/pages/home/home.tsx");
const sum = (names) => names.reduce((n, name) => n + (sizes.get(name) ?? 0), 0);
const firstBytes = sum([...first]);
const allBytes = sum([...sizes.keys()]);
const kb = (n) => `${(n / 1024).toFixed(1)} KB`;
console.log(
  `ui: first load ${kb(firstBytes)} of ${kb(FIRST)}, all ${kb(allBytes)} of ${kb(ALL)} (gzip)`,
);
if (process.argv.includes("--list")) {
  for (const [name, n] of [...sizes].sort((a, b) => b[1] - a[1]))
    console.log(kb(n).padStart(10), name);
}
if (firstBytes > FIRST || allBytes > ALL) {
  console.error("ui: the pages are too large; `node scripts/pack.js --list` shows of what");
  process.exit(1);
}
