import { Alert, Button, Skeleton, Switch, Tabs, Textarea } from "@mantine/core";
import { useMutation, useQuery } from "@tanstack/react-query";
import { ChevronDown, ClipboardPaste, Play, Plus, Trash2 } from "lucide-react";
import { useId, useState } from "react";
import { Choice } from "../../components/Choice";
import { Loaded } from "../../components/Loaded";
import { Menu, MenuItem } from "../../components/Menu";
import { Section } from "../../components/Page";
import { Command } from "../../components/Command";
import { Dialog, DialogButtons } from "../../components/Dialog";
import {
  formQuery,
  optionsQuery,
  type Form,
  type FormInput,
  type Options,
} from "../../data/endpoints";
import { infer, inferPath, type Inference } from "../../data/infer";
import { useMay } from "../../data/may";
import { duration, plural, value } from "../../format/number";
import { callsOf } from "./calls";
import {
  MAX_ROWS,
  readPasted,
  requestOf,
  seenOf,
  startRow,
  wrongWith,
  type Row,
  type Start,
} from "./rows";
import css from "./TryIt.module.css";

interface TryItProps {
  project: string;
  endpoint: string;
  /** What the endpoint's stream follows. */
  clock: string | undefined;
}

/** A form made from the signature: try an endpoint, and take the request along as code. */
export function TryIt({ project, endpoint, clock }: TryItProps) {
  const [to, setTo] = useState(ROUTED);
  const form = useQuery(formQuery(project, endpoint, versionOf(to)));
  const options = useQuery(optionsQuery(project, endpoint));
  return (
    <Loaded
      query={form}
      skeleton={
        <Section title="Try it">
          <Skeleton height={320} />
        </Section>
      }
    >
      {(f) => (
        <Trial
          key={JSON.stringify(f.inputs.map((i) => [i.name, i.kind]))} // else what is written stays
          project={project}
          endpoint={endpoint}
          form={f}
          variants={options.data?.now ?? []}
          clock={clock}
          to={to}
          onTo={setTo}
        />
      )}
    </Loaded>
  );
}

interface TrialProps extends TryItProps {
  form: Form;
  variants: Options["now"];
  to: string;
  onTo: (to: string) => void;
}

const ROUTED = "routed";
const EVERY = "every";

/** The version that is asked by its number. */
function versionOf(to: string): number | undefined {
  return to === ROUTED || to === EVERY ? undefined : Number(to);
}

/** What one version said, or why it said nothing. */
interface Said {
  version?: number | undefined;
  answer?: Inference;
  error?: string;
}

function Trial({ project, endpoint, form, variants, clock, to, onTo }: TrialProps) {
  const [rows, setRows] = useState<Row[]>(() => [startRow(form, "typical")]);
  const operate = useMay("operate");
  const predict = useMay("predict");
  const [quiet, setQuiet] = useState(true);
  const [pasting, setPasting] = useState(false);
  const trial = operate.may && (quiet || to === EVERY);
  const versions = [...new Set(variants.map((v) => v.version))];
  const ask = useMutation({
    mutationFn: async (): Promise<Said[]> => {
      const request = requestOf(form, rows, trial);
      const asked = to === EVERY ? versions : [versionOf(to)];
      return Promise.all(
        asked.map((version) =>
          infer(inferPath(project, endpoint, version), request).then(
            (answer): Said => ({ version, answer }),
            (err: unknown): Said => ({
              version,
              error: err instanceof Error ? err.message : String(err),
            }),
          ),
        ),
      );
    },
  });
  const problems = form.inputs.flatMap((input) =>
    rows.flatMap((row, i) => {
      const wrong = wrongWith(input, row[input.name] ?? "");
      return wrong ? [`${input.name} in row ${i + 1}: ${wrong}`] : [];
    }),
  );
  const set = (i: number, name: string, text: string) => {
    ask.reset();
    setRows(rows.map((row, k) => (k === i ? { ...row, [name]: text } : row)));
  };
  return (
    <>
      <Section
        title="Try it"
        about={
          form.seen > 0
            ? `values as version ${form.version} saw them in its data`
            : `as version ${form.version} takes it; nothing is known of its data`
        }
        actions={
          <>
            <Starts onStart={(start) => setRows(rows.map(() => startRow(form, start)))} />
            <Button
              variant="default"
              leftSection={<ClipboardPaste size={14} aria-hidden />}
              onClick={() => setPasting(true)}
            >
              Paste rows
            </Button>
            <Button
              variant="default"
              leftSection={<Plus size={14} aria-hidden />}
              disabled={rows.length >= MAX_ROWS}
              onClick={() => setRows([...rows, rows[rows.length - 1] ?? startRow(form, "typical")])}
            >
              Add a row
            </Button>
          </>
        }
      >
        <div className={css.split}>
          <form
            className={css.form}
            onSubmit={(e) => {
              e.preventDefault();
              ask.mutate();
            }}
          >
            <Fields
              form={form}
              rows={rows}
              onSet={set}
              onDrop={(i) => setRows(rows.filter((_, k) => k !== i))}
            />
            <div className={css.send}>
              <Choice
                label="Ask"
                value={to}
                onChange={(v) => {
                  ask.reset();
                  onTo(v ?? ROUTED);
                }}
                data={[
                  { value: ROUTED, label: "as the endpoint routes" },
                  ...variants
                    .filter((v, i) => variants.findIndex((o) => o.version === v.version) === i)
                    .map((v) => ({
                      value: String(v.version),
                      label: `version ${v.version}, ${v.role}`,
                    })),
                  ...(operate.may && versions.length > 1
                    ? [{ value: EVERY, label: "every version, to compare" }]
                    : []),
                ]}
                w={220}
              />
              <Switch
                label="Do not count it"
                checked={trial}
                disabled={!operate.may || to === EVERY}
                onChange={(e) => setQuiet(e.currentTarget.checked)}
              />
              <Button
                type="submit"
                size="sm"
                leftSection={<Play size={14} aria-hidden />}
                disabled={problems.length > 0 || !predict.may}
                loading={ask.isPending}
              >
                Ask
              </Button>
            </div>
            <p className={css.counts}>{consequence(trial, operate, clock)}</p>
            {!predict.may && <p className={css.counts}>{predict.why}</p>}
            {problems.length > 0 && <p className={css.wrong}>{problems.slice(0, 3).join(" · ")}</p>}
          </form>
          <div aria-live="polite" className={css.answers}>
            {ask.data ? (
              <Answers said={ask.data} rows={rows.length} trial={trial} />
            ) : (
              <p className={css.counts}>What it answers comes here.</p>
            )}
          </div>
        </div>
      </Section>
      <Section
        title="Call it from a program"
        about="the request above; where there are accounts, with a token (fairlead token create) in FAIRLEAD_TOKEN"
      >
        <Code
          project={project}
          endpoint={endpoint}
          form={form}
          rows={rows}
          version={versionOf(to)}
        />
      </Section>
      {pasting && (
        <Paste
          form={form}
          onRows={(pasted) => {
            ask.reset();
            setRows(pasted);
          }}
          onClose={() => setPasting(false)}
        />
      )}
    </>
  );
}

/** Whether the request will be part of the record. */
function consequence(
  trial: boolean,
  operate: { may: boolean; why: string },
  clock: string | undefined,
): string {
  if (trial) return "It is answered and leaves no trace: not logged, not scored, not counted.";
  const stream =
    clock === "event_time" ? " It brings no event time, and so does not move stream time." : "";
  const why = operate.may ? "" : ` To leave it out of the count: ${operate.why}.`;
  return `It counts: it is logged, scored by the other versions, and monitored like any request.${stream}${why}`;
}

function Starts({ onStart }: { onStart: (start: Start) => void }) {
  return (
    <Menu
      label="Fill in"
      align="end"
      target={
        <Button variant="default" rightSection={<ChevronDown size={14} aria-hidden />}>
          Fill in
        </Button>
      }
    >
      <MenuItem onClick={() => onStart("typical")}>Typical values</MenuItem>
      <MenuItem onClick={() => onStart("least")}>Least values</MenuItem>
      <MenuItem onClick={() => onStart("greatest")}>Greatest values</MenuItem>
    </Menu>
  );
}

interface FieldsProps {
  form: Form;
  rows: Row[];
  onSet: (row: number, name: string, text: string) => void;
  onDrop: (row: number) => void;
}

/** The inputs below each other, the rows side by side. */
function Fields({ form, rows, onSet, onDrop }: FieldsProps) {
  const lists = useId();
  return (
    <div className={css.box} role="region" aria-label="Inputs" tabIndex={0}>
      <table className={css.fields} aria-label="Inputs">
        <thead>
          <tr>
            <th scope="col">Input</th>
            {rows.map((_, i) => (
              <th scope="col" key={i}>
                Row {i + 1}
                {rows.length > 1 && (
                  <button
                    type="button"
                    className={css.drop}
                    aria-label={`Remove row ${i + 1}`}
                    onClick={() => onDrop(i)}
                  >
                    <Trash2 size={13} aria-hidden />
                  </button>
                )}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {form.inputs.map((input, k) => (
            <tr key={input.name}>
              <th scope="row">
                {input.name}
                <span className={css.kind}>
                  {input.kind}
                  {!input.required && ", may be missing"}
                  {seenOf(input) && ` · ${seenOf(input)}`}
                </span>
              </th>
              {rows.map((row, i) => (
                <td key={i}>
                  <Field
                    input={input}
                    label={`${input.name}, row ${i + 1}`}
                    text={row[input.name] ?? ""}
                    list={`${lists}-${k}`}
                    onText={(text) => onSet(i, input.name, text)}
                  />
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
      {form.inputs.map((input, k) =>
        input.categories ? (
          <datalist key={input.name} id={`${lists}-${k}`}>
            {input.categories.map((c) => (
              <option key={c} value={c} />
            ))}
          </datalist>
        ) : null,
      )}
    </div>
  );
}

interface FieldProps {
  input: FormInput;
  label: string;
  text: string;
  list: string;
  onText: (text: string) => void;
}

function Field({ input, label, text, list, onText }: FieldProps) {
  const wrong = wrongWith(input, text);
  const numeric = !["string", "datetime", "boolean"].includes(input.kind);
  return (
    <input
      className={css.field}
      aria-label={label}
      aria-invalid={wrong !== undefined}
      inputMode={numeric ? "decimal" : "text"}
      list={input.categories ? list : undefined}
      placeholder={input.required ? "" : "missing"}
      value={text}
      onChange={(e) => onText(e.currentTarget.value)}
    />
  );
}

interface AnswersProps {
  said: Said[];
  rows: number;
  trial: boolean;
}

/** What the versions answered, row by row. */
function Answers({ said, rows, trial }: AnswersProps) {
  const good = said.filter((s) => s.answer !== undefined);
  return (
    <>
      {said.map((s) =>
        s.error === undefined ? null : (
          <Alert
            key={s.version ?? 0}
            role="alert"
            variant="outline"
            color="red"
            title={
              s.version === undefined
                ? "It was not answered"
                : `Version ${s.version} did not answer`
            }
          >
            {s.error}
          </Alert>
        ),
      )}
      {good.length > 0 && (
        <div className={css.box} role="region" aria-label="Answers" tabIndex={0}>
          <table className={css.fields} aria-label="Answers">
            <thead>
              <tr>
                <th scope="col">Row</th>
                {good.flatMap((s) =>
                  (s.answer?.outputs ?? []).map((o) => (
                    <th scope="col" key={`${s.version ?? 0} ${o.name}`}>
                      {o.name}
                      <span className={css.kind}>version {s.answer?.model_version}</span>
                    </th>
                  )),
                )}
              </tr>
            </thead>
            <tbody>
              {Array.from({ length: rows }, (_, i) => (
                <tr key={i}>
                  <th scope="row">{i + 1}</th>
                  {good.flatMap((s) =>
                    (s.answer?.outputs ?? []).map((o) => (
                      <td key={`${s.version ?? 0} ${o.name}`} className={css.output}>
                        {shown(o.data[i])}
                      </td>
                    )),
                  )}
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      {good.map((s) => (
        <p key={s.version ?? 0} className={css.counts}>
          Version {s.answer?.model_version} answered {plural(rows, "row")} in{" "}
          {duration(s.answer?.took ?? null)}, there and back; request <code>{s.answer?.id}</code>
          {trial ? ", not counted" : ", logged"}.
        </p>
      ))}
    </>
  );
}

function shown(v: unknown): string {
  if (v === null || v === undefined) return "missing";
  return typeof v === "number" ? value(v, 6) : String(v);
}

interface CodeProps {
  project: string;
  endpoint: string;
  form: Form;
  rows: Row[];
  version: number | undefined;
}

function Code({ project, endpoint, form, rows, version }: CodeProps) {
  const path = inferPath(project, endpoint, version);
  const calls = callsOf(
    { origin: window.location.origin, project, endpoint, path, version },
    requestOf(form, rows, false),
  );
  return (
    <Tabs defaultValue="curl" keepMounted={false}>
      <Tabs.List mb="xs">
        {calls.map((c) => (
          <Tabs.Tab key={c.id} value={c.id}>
            {c.name}
          </Tabs.Tab>
        ))}
      </Tabs.List>
      {calls.map((c) => (
        <Tabs.Panel key={c.id} value={c.id}>
          <Command label={`${c.name} call`}>{c.code}</Command>
        </Tabs.Panel>
      ))}
    </Tabs>
  );
}

interface PasteProps {
  form: Form;
  onRows: (rows: Row[]) => void;
  onClose: () => void;
}

function Paste({ form, onRows, onClose }: PasteProps) {
  const [text, setText] = useState("");
  const [problem, setProblem] = useState("");
  const read = () => {
    try {
      onRows(readPasted(form, text).rows);
      onClose();
    } catch (err) {
      setProblem(err instanceof Error ? err.message : String(err));
    }
  };
  return (
    <Dialog opened onClose={onClose} title="Paste rows" size="lg">
      <Textarea
        label="Rows"
        description={`JSON objects, a request of the protocol, or CSV with a head; at most ${MAX_ROWS}. Columns that the model has not are left out.`}
        error={problem}
        autosize
        minRows={6}
        maxRows={16}
        value={text}
        onChange={(e) => {
          setText(e.currentTarget.value);
          setProblem("");
        }}
        data-autofocus
      />
      <DialogButtons>
        <Button variant="default" size="sm" onClick={onClose}>
          Cancel
        </Button>
        <Button size="sm" onClick={read} disabled={text.trim() === ""}>
          Take these rows
        </Button>
      </DialogButtons>
    </Dialog>
  );
}
