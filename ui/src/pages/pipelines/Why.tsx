import { useQuery } from "@tanstack/react-query";
import { Lines, Loaded } from "../../components/Loaded";
import { PipelineLink } from "../../components/links";
import { pipelineWhy, type PipelineWhy } from "../../data/pipelines";
import css from "./pipelines.module.css";
import { partName, sentence } from "./steps";

/** Why a step ran or was answered from the cache: what of its key is new. */
export function Why({ project, run, step }: { project: string; run: string; step: string }) {
  const why = useQuery(pipelineWhy(project, run, step));
  return (
    <Loaded query={why} skeleton={<Lines n={3} />}>
      {(w) => <Told why={w} />}
    </Loaded>
  );
}

function Told({ why }: { why: PipelineWhy }) {
  const link = (id: string) => <PipelineLink id={id}>{id}</PipelineLink>;
  return (
    <div className={css.dialog}>
      <p>
        {why.state === "cached" ? (
          <>
            <strong>It did not run.</strong> A step with the same command, inputs, params, code and
            environment has run before
            {why.from && <> in {link(why.from)}</>}; its outputs and metrics are taken.
          </>
        ) : (
          <>
            <strong>It ran.</strong> {told(why)}
          </>
        )}
      </p>
      {why.previous && (
        <p className={css.dim}>
          {why.changes.length === 0
            ? "Its cache key is that of the step in "
            : "Compared with the step in "}
          {link(why.previous)}.
        </p>
      )}
      {why.changes.length > 0 && (
        <div className={css.scroll} tabIndex={0} role="region" aria-label="What is new">
          <table className={css.diff} aria-label="What is new">
            <thead>
              <tr>
                <th scope="col">Part of the key</th>
                <th scope="col">Then</th>
                <th scope="col">Now</th>
              </tr>
            </thead>
            <tbody>
              {why.changes.map((c) => (
                <tr key={`${c.part} ${c.name ?? ""}`}>
                  <th scope="row">{sentence(partName(c))}</th>
                  <td>
                    {c.old === "" ? <span className={css.dim}>none</span> : <del>{c.old}</del>}
                  </td>
                  <td>
                    {c.new === "" ? <span className={css.dim}>none</span> : <ins>{c.new}</ins>}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </div>
  );
}

function told(why: PipelineWhy): string {
  if (why.reason) return sentence(`${why.reason}.`);
  if (!why.previous) return "No run before had this step.";
  return "What it depends on is not what it was:";
}
