import { useQuery } from "@tanstack/react-query";
import { useParams } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { Empty } from "../components/State";
import { overviewQuery } from "../data/overview";

/** What writes a first fairlead.yaml, commits it and runs it. */
export const INIT = "fairlead init --git && fairlead run";

/**
 * Stands where a run of the pipeline would leave something. A project that has no fairlead.yaml
 * yet is told how it gets one.
 */
export function FirstRun({ title, children }: { title: string; children: ReactNode }) {
  const { project = "" } = useParams({ strict: false });
  const { data } = useQuery({ ...overviewQuery(project), retry: false });
  const none = data !== undefined && !data.revision;
  return (
    <Empty title={title} command={none ? INIT : "fairlead run"}>
      {children}
      {none && <p>{WRITES}</p>}
    </Empty>
  );
}

const WRITES =
  "No fairlead.yaml was applied here. In the folder of your code this writes and runs one, as a project named after the folder.";
