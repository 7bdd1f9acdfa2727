import type { Schemas } from "./client";

/** A thing of a project that has a page. */
export type Thing = Schemas["GovernLink"];

/** Where the page of a thing is; undefined for what has none. */
export function pageOf(project: string, thing: Thing): string | undefined {
  const below = places[thing.kind]?.(thing.id);
  return below && `/p/${encodeURIComponent(project)}${below}`;
}

const part = encodeURIComponent;

/** Cuts an id at the last of a sign: names may hold it, what follows does not. */
function cut(id: string, sign: string): [string, string] {
  const at = id.lastIndexOf(sign);
  return at < 0 ? [part(id), ""] : [part(id.slice(0, at)), part(id.slice(at + 1))];
}

const places: Record<string, (id: string) => string> = {
  model: (id) => `/models/${part(id)}`,
  version: (id) => `/models/${cut(id, "/").join("/versions/")}`,
  experiment: (id) => `/experiments/${part(id)}`,
  run: (id) => `/experiments/${cut(id, "/").join("/runs/")}`,
  dataset: (id) => `/data/${part(id)}`,
  dataset_version: (id) => `/data/${cut(id, "/").join("/")}`,
  endpoint: (id) => `/endpoints/${cut(id, "@").join("/")}`,
  rollout: (id) => `/rollouts/${part(id)}`,
  incident: (id) => `/incidents/${part(id)}`,
  case: (id) => `/cases/${part(id)}`,
  pipeline_run: (id) => `/pipelines/${part(id)}`,
};

/**
 * What an event is about, as a thing with a page. The body knows it better than the
 * subject where one subject has many: an endpoint its rollouts and incidents.
 */
export function thingOf(e: Schemas["Event"]): Thing | undefined {
  const body = (e.body ?? {}) as Record<string, unknown>;
  const text = (name: string) => (typeof body[name] === "string" ? body[name] : "");
  const [about = ""] = e.type.split(".");
  if (["incident", "rollout", "case"].includes(about) && text(about))
    return { kind: about, id: text(about) };
  const [kind = "", ...rest] = e.subject.split("/");
  const id = rest.join("/");
  switch (kind) {
    case "model":
      return about === "modelversion" || about === "gate"
        ? { kind: "version", id }
        : { kind: "model", id: text("model") || id };
    case "dataset":
      return { kind: "dataset_version", id };
    case "pipelinerun":
      return { kind: "pipeline_run", id };
    case "experiment":
    case "endpoint":
      return { kind, id };
    case "run":
      return text("experiment") ? { kind, id: `${text("experiment")}/${id}` } : undefined;
    default:
      return rest.length === 0 && kind.includes("@") ? { kind: "endpoint", id: kind } : undefined;
  }
}
