// Checks an event's proof with WebCrypto: that the body is the one that the leaf holds,
// that the leaf is in the tree (RFC 9162, 2.1.3.2), and that the tree's head is signed
// (C2SP signed-note and tlog-checkpoint). Nothing of it trusts what the server says of
// itself but the key, which a reader may compare with one that was kept elsewhere.

/** What was looked at, and whether it holds; undefined: this browser cannot tell. */
export interface Step {
  name: string;
  holds: boolean | undefined;
  detail: string;
}

export interface Verdict {
  /** All steps that could be checked hold. */
  holds: boolean;
  /** None was left out. */
  whole: boolean;
  steps: Step[];
}

/** The parts of a proof that are checked. */
export interface Proof {
  seq: number;
  size: number;
  /** Base64. */
  leaf: string;
  /** Hashes in hexadecimal, from the leaf up. */
  path: string[];
  root: string;
  checkpoint?: string;
  public_key?: string;
  salt?: string;
  body?: string;
}

/** What the page shows of the event, and the leaf must say too. */
export interface Shown {
  seq: number;
  id: string;
  time_ms: number;
  at_ms: number;
  type: string;
  subject: string;
  actor: string;
  project: string;
}

type Bytes = Uint8Array<ArrayBuffer>;

/** Checks a proof of the event that is shown. */
export async function verify(proof: Proof, shown: Shown): Promise<Verdict> {
  const steps = [await checkBody(proof), checkLeaf(proof, shown), await checkPath(proof)];
  steps.push(checkHead(proof), await checkSignature(proof));
  return {
    holds: steps.every((s) => s.holds !== false) && steps.some((s) => s.holds === true),
    whole: steps.every((s) => s.holds !== undefined),
    steps,
  };
}

/** Browsers have WebCrypto on HTTPS and on this machine alone. */
const NO_CRYPTO = "This browser checks nothing over plain HTTP; open the page by HTTPS";

const subtle = (): SubtleCrypto | undefined =>
  (globalThis.crypto as Crypto | undefined)?.subtle as SubtleCrypto | undefined;

async function checkBody(p: Proof): Promise<Step> {
  const name = "The body is the one that the leaf holds";
  const crypto = subtle();
  if (!p.body || !p.salt) return { name, holds: undefined, detail: "The proof has no body" };
  if (!crypto) return { name, holds: undefined, detail: NO_CRYPTO };
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  const key = await crypto.importKey("raw", base64(p.salt), algorithm, false, ["sign"]);
  const digest = hex(new Uint8Array(await crypto.sign("HMAC", key, base64(p.body))));
  return { name, holds: digest === leafOf(p)["digest"], detail: `HMAC-SHA-256 ${digest}` };
}

function leafOf(p: Proof): Record<string, unknown> {
  try {
    return JSON.parse(new TextDecoder().decode(base64(p.leaf))) as Record<string, unknown>;
  } catch {
    return {};
  }
}

function checkLeaf(p: Proof, shown: Shown): Step {
  const leaf = leafOf(p);
  const said: [string, unknown, unknown][] = [
    ["number", leaf["seq"], shown.seq],
    ["id", leaf["id"], shown.id],
    ["time", leaf["time"], shown.time_ms],
    ["stream time", leaf["at"], shown.at_ms],
    ["type", leaf["type"], shown.type],
    ["subject", leaf["subject"], shown.subject],
    ["actor", leaf["actor"], shown.actor],
    ["project", leaf["project"], shown.project],
  ];
  const other = said.filter(([, inLeaf, onPage]) => inLeaf !== onPage).map(([name]) => name);
  return {
    name: "The leaf says what this page shows",
    holds: other.length === 0,
    detail:
      other.length === 0
        ? "Number, times, type, subject, actor and project agree"
        : `These differ: ${other.join(", ")}`,
  };
}

async function checkPath(p: Proof): Promise<Step> {
  const name = "The leaf is in the tree";
  const crypto = subtle();
  if (!crypto) return { name, holds: undefined, detail: NO_CRYPTO };
  const root = await rootOf(p, crypto);
  return {
    name,
    holds: root === p.root,
    detail: `${p.path.length} hashes lead from leaf ${p.seq} of ${p.size} to ${root ?? "nowhere"}`,
  };
}

/** Walks from the leaf to the root; undefined when the path has another length than it must. */
async function rootOf(p: Proof, crypto: SubtleCrypto): Promise<string | undefined> {
  const sha256 = async (...parts: Bytes[]) =>
    new Uint8Array(await crypto.digest("SHA-256", concat(parts)));
  if (p.seq < 1 || p.seq > p.size) return undefined;
  let [at, last] = [p.seq - 1, p.size - 1];
  let hash = await sha256(new Uint8Array([0]), base64(p.leaf));
  for (const sibling of p.path.map(unhex)) {
    if (last === 0) return undefined;
    if (at % 2 === 1 || at === last) {
      hash = await sha256(new Uint8Array([1]), sibling, hash);
      while (at % 2 === 0 && at !== 0) [at, last] = [Math.floor(at / 2), Math.floor(last / 2)];
    } else {
      hash = await sha256(new Uint8Array([1]), hash, sibling);
    }
    [at, last] = [Math.floor(at / 2), Math.floor(last / 2)];
  }
  return last === 0 ? hex(hash) : undefined;
}

/** The parts of a signed note: its text, and its signatures as name and bytes. */
function noteOf(text: string): { text: string; signatures: [name: string, bytes: Bytes][] } {
  const end = text.lastIndexOf("\n\n");
  if (end < 0) return { text: "", signatures: [] };
  const signatures = text
    .slice(end + 2)
    .split("\n")
    .flatMap((line): [string, Bytes][] => {
      const [dash, name, signature] = line.split(" ");
      return dash === "—" && name && signature ? [[name, base64(signature)]] : [];
    });
  return { text: text.slice(0, end + 1), signatures };
}

function checkHead(p: Proof): Step {
  const name = "The signed head is that of this tree";
  if (!p.checkpoint) return { name, holds: undefined, detail: "The server signs nothing" };
  const [, size, root] = noteOf(p.checkpoint).text.split("\n");
  return {
    name,
    holds: size === String(p.size) && root !== undefined && hex(base64(root)) === p.root,
    detail: `${p.size} events, root ${p.root}`,
  };
}

async function checkSignature(p: Proof): Promise<Step> {
  const name = "The head's signature is the key's";
  const crypto = subtle();
  if (!p.checkpoint || !p.public_key)
    return { name, holds: undefined, detail: "The server signs nothing" };
  if (!crypto) return { name, holds: undefined, detail: NO_CRYPTO };
  const key = await keyOf(p.public_key, crypto);
  if (!key) return { name, holds: false, detail: "The key cannot be read" };
  const { text, signatures } = noteOf(p.checkpoint);
  const mine = signatures.find(([by, bytes]) => by === key.name && hex(bytes).startsWith(key.hash));
  if (!mine) return { name, holds: false, detail: "Another key has signed" };
  try {
    const imported = await crypto.importKey("raw", key.bytes, "Ed25519", false, ["verify"]);
    const holds = await crypto.verify(
      "Ed25519",
      imported,
      mine[1].slice(4),
      new TextEncoder().encode(text),
    );
    return { name, holds, detail: `Ed25519, ${p.public_key}` };
  } catch {
    return { name, holds: undefined, detail: "This browser does not know Ed25519" };
  }
}

/** The key of C2SP signed-note: name+hash+base64, where the first byte says Ed25519. */
async function keyOf(text: string, crypto: SubtleCrypto) {
  const [name = "", hash = "", encoded = ""] = text.split(/\+(.*?)\+(.*)/s);
  const bytes = base64(encoded);
  const named = concat([new TextEncoder().encode(`${name}\n`), bytes]);
  const digest = hex(new Uint8Array(await crypto.digest("SHA-256", named)));
  return bytes[0] === 1 && bytes.length === 33 && digest.startsWith(hash) && hash.length === 8
    ? { name, hash, bytes: bytes.slice(1) }
    : undefined;
}

function concat(parts: readonly Uint8Array[]): Bytes {
  const out = new Uint8Array(parts.reduce((n, b) => n + b.length, 0));
  let at = 0;
  for (const b of parts) {
    out.set(b, at);
    at += b.length;
  }
  return out;
}

function base64(text: string): Bytes {
  try {
    return Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  } catch {
    return new Uint8Array();
  }
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (b) => b.toString(16).padStart(2, "0")).join("");
}

function unhex(text: string): Bytes {
  return Uint8Array.from(text.match(/../g) ?? [], (b) => Number.parseInt(b, 16));
}
