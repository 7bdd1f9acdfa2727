import type { TrackedRun } from "../../data/run";

/** The commands that repeat a run, and what they leave open. */
export interface Recipe {
  command: string;
  /** What is not known of it, in a sentence. */
  open?: string;
}

/** A word of a shell's command line. */
export function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

/**
 * How a run is done again, from what its client noted: its commit, and how it was started.
 * Undefined when that is not known.
 */
export function recipe(run: Pick<TrackedRun, "tags" | "params">): Recipe | undefined {
  const { tags, params } = run;
  const commit = tags["fairlead.commit"] ?? tags["mlflow.source.git.commit"];
  const checkout = commit === undefined ? [] : [`git checkout ${quoted(commit)}`];
  if (tags["fairlead.pipeline_run"] !== undefined) {
    return {
      command: [...checkout, "fairlead run"].join("\n"),
      ...(tags["fairlead.try"] === undefined || tags["fairlead.try"] === "-1"
        ? {}
        : { open: "The search tries all its combinations again, this one among them." }),
    };
  }
  const source = tags["mlflow.source.name"];
  if (source === undefined) return undefined;
  if (tags["mlflow.source.type"] === "PROJECT") {
    const entry = tags["mlflow.project.entryPoint"];
    const words = ["mlflow", "run", source];
    if (commit !== undefined) words.push("-v", commit);
    if (entry !== undefined && entry !== "main") words.push("-e", entry);
    for (const [name, v] of Object.entries(params)) words.push("-P", `${name}=${v}`);
    return { command: words.map(quoted).join(" ") };
  }
  if (/\.ipynb$/.test(source) || tags["mlflow.source.type"] === "NOTEBOOK") {
    return { command: [...checkout, `jupyter lab ${quoted(source)}`].join("\n") };
  }
  const run_ = /\.py$/.test(source) ? `python ${quoted(source)}` : quoted(source);
  return {
    command: [...checkout, run_].join("\n"),
    open:
      commit === undefined
        ? "The run noted neither its commit nor its arguments."
        : "MLflow's client notes no arguments: set what the params say.",
  };
}
