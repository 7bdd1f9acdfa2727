/** What stands in the addresses of these pages. */
type Search = Record<string, unknown>;

/** A point of wall time in RFC 3339, of which the page is shown. */
export function asOfIn(search: Search): { as_of?: string } {
  const text = search["as_of"];
  if (typeof text !== "string" || Number.isNaN(Date.parse(text))) return {};
  return { as_of: new Date(text).toISOString() };
}

/** What the name of a model must have in it. */
export function nameIn(search: Search): { name?: string } {
  const text = search["name"];
  return typeof text === "string" && text !== "" ? { name: text } : {};
}

/** Two versions of a model, and whether what is the same in both is shown too. */
export function pairIn(search: Search): { a?: number; b?: number; all?: true } {
  const pair: { a?: number; b?: number; all?: true } = {};
  const [a, b] = [Number(search["a"]), Number(search["b"])];
  if (Number.isInteger(a) && a > 0) pair.a = a;
  if (Number.isInteger(b) && b > 0) pair.b = b;
  if (search["all"] === true) pair.all = true;
  return pair;
}
