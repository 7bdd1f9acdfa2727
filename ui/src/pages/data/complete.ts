// Completion of SQL: what may follow at a place in the text, from the tables, their
// columns and the words of the language.

/** Something that may be written. */
export interface Hint {
  text: string;
  /** What it is: table, column, function, or a type of column. */
  kind: string;
}

/** A table with its columns. */
export interface TableOf {
  name: string;
  columns: readonly { name: string; type: string }[];
}

const keywords = (
  "select from where group by order by limit having with as join left join inner join on using " +
  "and or not in is null is not null between like ilike distinct case when then else end union all " +
  "except intersect desc asc qualify over partition by offset describe summarize values exists"
).match(/(?:group|order|partition) by|(?:left|inner) join|is not null|is null|union all|\w+/g);

const functions =
  "count sum avg min max median quantile_cont stddev_samp round abs coalesce nullif cast try_cast date_trunc date_part strftime epoch_us lag lead row_number rank approx_count_distinct histogram list string_agg lower upper length substr regexp_matches arg_min arg_max corr bool_or bool_and".split(
    " ",
  );

/** The word that ends at a place: letters, digits and what names may have in quotes. */
export function wordAt(sql: string, at: number): { from: number; word: string; quoted: boolean } {
  const before = sql.slice(0, at);
  const inQuotes = /"([^"\n]*)$/.exec(before);
  if (inQuotes && (before.split('"').length - 1) % 2 === 1)
    return { from: inQuotes.index, word: inQuotes[1] ?? "", quoted: true };
  const word = /[A-Za-z_][\w]*$/.exec(before)?.[0] ?? "";
  return { from: at - word.length, word, quoted: false };
}

/** Whether a place is within a text or a comment, where nothing is completed. */
export function inText(sql: string, at: number): boolean {
  const before = sql.slice(0, at);
  const line = before.slice(before.lastIndexOf("\n") + 1).replace(/'[^']*'/g, "");
  return /--/.test(line) || (before.match(/'/g)?.length ?? 0) % 2 === 1;
}

/** Whether a table's name is what follows. */
function wantsTable(before: string): boolean {
  return (
    /\b(from|join|describe|summarize)\s+$/i.test(before) || /\bfrom\s[^()]*,\s*$/i.test(before)
  );
}

const MOST = 40;

/** What may follow at a place, the likeliest first; nothing where no word has begun. */
export function complete(
  sql: string,
  at: number,
  tables: readonly TableOf[],
  quote: (name: string) => string,
): { from: number; hints: Hint[] } {
  const { from, word, quoted } = wordAt(sql, at);
  const before = sql.slice(0, from);
  const table = wantsTable(before);
  if (inText(sql, from) || (word === "" && !quoted && !table)) return { from, hints: [] };
  const named = tables.filter((t) => sql.includes(t.name));
  const all: Hint[] = [];
  const addTables = () => all.push(...tables.map((t) => ({ text: quote(t.name), kind: "table" })));
  if (table) addTables();
  else {
    for (const t of named.length > 0 ? named : tables)
      all.push(...t.columns.map((c) => ({ text: quote(c.name), kind: c.type })));
    if (!quoted) {
      all.push(...(keywords ?? []).map((text) => ({ text, kind: "" })));
      all.push(...functions.map((name) => ({ text: `${name}(`, kind: "function" })));
    }
    addTables();
  }
  const start = word.toLowerCase();
  const plain = (h: Hint) => h.text.replace(/^"/, "").toLowerCase();
  const seen = new Set<string>();
  const fits = all.filter((h) => {
    if (seen.has(h.text) || !plain(h).includes(start) || plain(h) === start) return false;
    seen.add(h.text);
    return h.kind !== "" && h.kind !== "function" ? true : plain(h).startsWith(start);
  });
  const rank = (h: Hint) => (plain(h).startsWith(start) ? 0 : 1);
  return { from, hints: fits.sort((a, b) => rank(a) - rank(b)).slice(0, MOST) };
}

/** Where a place is, as line and column from 0. */
export function placeOf(sql: string, at: number): { line: number; column: number } {
  const before = sql.slice(0, at).split("\n");
  return { line: before.length - 1, column: before[before.length - 1]?.length ?? 0 };
}
