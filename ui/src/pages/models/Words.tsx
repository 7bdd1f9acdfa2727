import { Words as Editable } from "../../components/Words";
import { useModelChange, type Model } from "../../data/models";
import { useMay } from "../../data/may";

interface WordsProps {
  project: string;
  model: string;
  /** Of which they are; the model's own without it. */
  version?: number;
  description: string;
  tags: Model["tags"];
  /** Why they may not be changed now; "" when they may. */
  locked: string;
}

/** The description and the tags of a model or a version, which can be changed. */
export function Words({ project, model, version, description, tags, locked }: WordsProps) {
  const { may, why } = useMay("track");
  const change = useModelChange(project, model);
  const of = version === undefined ? {} : { version };
  return (
    <Editable
      description={description}
      tags={tags}
      locked={locked || (may ? "" : why)}
      onChange={(c, done) => change.mutate({ ...c, ...of }, { onSuccess: done })}
      pending={change.isPending}
      error={change.error}
    />
  );
}
