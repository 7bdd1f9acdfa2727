import { Button } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { toast } from "../../components/toast";
import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { Play } from "lucide-react";
import { useState } from "react";
import { Dialog, DialogButtons } from "../../components/Dialog";
import { GuardedButton } from "../../components/GuardedButton";
import { Loaded } from "../../components/Loaded";
import { Facts } from "../../components/Stat";
import { Failure } from "../../components/State";
import { Time } from "../../components/Time";
import { useMay } from "../../data/may";
import { currentProject, useOpenCase } from "../../data/pipelines";
import css from "./pipelines.module.css";

/** Opens a case for the project's file as it is applied, after saying what that means. */
export function StartRun({ project }: { project: string }) {
  const [opened, { open, close }] = useDisclosure();
  const { why } = useMay("run");
  return (
    <>
      <GuardedButton why={why} onClick={open} leftSection={<Play size={14} aria-hidden />}>
        Start a run
      </GuardedButton>
      <Dialog opened={opened} onClose={close} title="Start a run">
        <Start project={project} close={close} />
      </Dialog>
    </>
  );
}

function Start({ project, close }: { project: string; close: () => void }) {
  const current = useQuery(currentProject(project));
  const begin = useOpenCase(project);
  const navigate = useNavigate();
  const [key] = useState(() => crypto.randomUUID());
  return (
    <>
      <p>
        It collects the data of now, runs the pipeline, packages what wins, asks the gate, and
        releases what passes. While the model has an active case, it waits for that.
      </p>
      <Loaded query={current}>
        {(file) => (
          <Facts
            items={[
              ["Commit", <code key="c">{file.commit?.slice(0, 12) ?? "none"}</code>],
              ["fairlead.yaml", `revision ${file.revision}`],
              ["Applied", <Time key="t" at={file.applied_at} />],
            ]}
          />
        )}
      </Loaded>
      <p className={css.dim}>
        A newer commit is applied with <code>fairlead apply</code>, or at once with{" "}
        <code>fairlead run</code>.
      </p>
      {begin.isError && <Failure error={begin.error} />}
      <DialogButtons>
        <Button variant="default" onClick={close}>
          Leave it
        </Button>
        <Button
          loading={begin.isPending}
          disabled={!current.data}
          onClick={() =>
            begin.mutate(key, {
              onSuccess: (opened) => {
                close();
                toast({
                  title: "The run was asked for",
                  message: `Case ${opened.id} is ${opened.state}. Its pipeline run stands in the list once the data is collected.`,
                  action: {
                    label: "Follow it",
                    run: () =>
                      void navigate({
                        to: "/p/$project/cases/$case",
                        params: { project, case: opened.id },
                      }),
                  },
                });
              },
            })
          }
        >
          Start the run
        </Button>
      </DialogButtons>
    </>
  );
}
