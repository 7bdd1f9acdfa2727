/**
 * The path below a project for an address that MLflow's client prints, such as
 * #/experiments/1/runs/abc; undefined when the fragment is none of them.
 */
export function fromMLflow(hash: string): string | undefined {
  const [path = "", query = ""] = hash.replace(/^#/, "").split("?");
  const parts = path.split("/").filter((part) => part !== "");
  const [kind, id, below, name, part = "", ...files] = parts;
  if (!path.startsWith("/") || kind === undefined) return undefined;
  switch (kind) {
    case "experiments":
      if (id === undefined) return "/experiments";
      return below === "runs" && name !== undefined
        ? `/experiments/${id}/runs/${name}${partOfRun(part, files.join("/"))}`
        : `/experiments/${id}`;
    case "compare-runs": {
      const runs = new URLSearchParams(query).get("runs");
      return runs ? `/compare?runs=${encodeURIComponent(runs)}` : "/experiments";
    }
    case "models":
      if (id === undefined) return "/models";
      return below === "versions" && name !== undefined
        ? `/models/${id}/versions/${name}`
        : `/models/${id}`;
    default:
      return undefined;
  }
}

/** What of a run is shown, as the address of its page has it. */
function partOfRun(part: string, path: string): string {
  if (part === "artifacts") return `?tab=artifacts${path && `&path=${path}`}`;
  return part.endsWith("-metrics") ? "?tab=charts" : "";
}
