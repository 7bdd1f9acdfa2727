import { expect, it } from "vitest";
import { quoted, recipe } from "./reproduce";

const of = (tags: Record<string, string>, params: Record<string, string> = {}) =>
  recipe({ tags, params });

it("repeats a pipeline's run from its commit", () => {
  expect(of({ "fairlead.pipeline_run": "pr_1", "fairlead.commit": "abc" })).toEqual({
    command: "git checkout abc\nfairlead run",
  });
  expect(of({ "fairlead.pipeline_run": "pr_1", "fairlead.try": "3" })?.open).toContain("search");
});

it("repeats a project of MLflow with its params", () => {
  const tags = {
    "mlflow.source.type": "PROJECT",
    "mlflow.source.name": "https://git.example/p",
    "mlflow.source.git.commit": "abc",
    "mlflow.project.entryPoint": "train",
  };
  expect(of(tags, { lr: "0.1", note: "a b" })).toEqual({
    command: "mlflow run https://git.example/p -v abc -e train -P lr=0.1 -P 'note=a b'",
  });
});

it("says what is not known of a script", () => {
  expect(of({ "mlflow.source.name": "train.py", "mlflow.source.git.commit": "abc" })).toEqual({
    command: "git checkout abc\npython train.py",
    open: "MLflow's client notes no arguments: set what the params say.",
  });
  expect(of({ "mlflow.source.name": "a.ipynb" })?.command).toBe("jupyter lab a.ipynb");
  expect(of({})).toBeUndefined();
});

it("writes words that a shell takes as they are", () => {
  expect(["a/b.py", "a b", "it's", "$(rm -rf /)"].map(quoted)).toEqual([
    "a/b.py",
    "'a b'",
    "'it'\\''s'",
    "'$(rm -rf /)'",
  ]);
});
