import { SegmentedControl } from "@mantine/core";
import { useState } from "react";
import { Figure } from "../../charts/Figure";
import { LineChart, LineTable, type Line } from "../../charts/LineChart";
import { Columns } from "../../components/Page";
import type { Served, VersionTraffic } from "../../data/endpoints";
import { count, duration, plural, significant } from "../../format/number";
import { absolute, utc } from "../../format/time";
import { colorOf } from "./words";
import css from "./TrafficCharts.module.css";

type Quantile = "p50" | "p99";

/** What an endpoint's versions did over time: requests, latency, and what went wrong. */
export function TrafficCharts({ served }: { served: Served }) {
  const [quantile, setQuantile] = useState<Quantile>("p99");
  const [asked, setOf] = useState<"answer" | "own">();
  // A shadow answers nobody: it is the models themselves that compare.
  const of = asked ?? (served.variants.some((v) => v.role === "shadow") ? "own" : "answer");
  const x = stepsOf(served);
  const byVersion = served.versions.filter((v) => v.version > 0);
  const share = covered(served, x);
  const unit = unitOf(served);
  const requests = byVersion
    .filter((v) => v.total.requests > 0)
    .map((v) =>
      line(
        v,
        whileThere(v.requests).map((n, i) =>
          n === null ? null : rateIn(n, served.step_ms / unit.ms, share(i)),
        ),
      ),
    );
  const latency = byVersion
    .map((v) => line(v, latencies(v, quantile, of)))
    .filter((l) => l.y.some((y) => y !== null));
  const errors: Line[] = served.versions
    .filter((v) => v.total.errors + v.total.failed > 0)
    .map((v) =>
      line(
        v,
        v.errors.map((n, i) => n + (v.failed[i] ?? 0)),
      ),
    );
  const axis = {
    x,
    group: "traffic",
    height: 160,
    time: served.clock === "wall" || ("stream" as const),
  };
  const table = {
    x: served.clock === "wall" ? "Wall time" : "Event time",
    shared: x,
    formatX: served.clock === "wall" ? absolute : utc,
  };
  const step = duration(served.step_ms);
  return (
    <Columns min={360}>
      <Figure
        title={`Requests answered, by version, ${unit.name}`}
        describe={`${plural(served.total.requests, "request")} answered, in steps of ${step}`}
        table={() => (
          <LineTable {...table} label="Requests by version" lines={requests} formatY={inUnit} />
        )}
      >
        {requests.length > 0 ? (
          <LineChart
            {...axis}
            describe={`Requests answered by version, in steps of ${step}`}
            lines={requests}
            formatY={inUnit}
            rangeY={[0, Math.max(1e-9, ...requests.flatMap((l) => l.y.map((y) => y ?? 0))) * 1.08]}
            legend
          />
        ) : (
          <p className={css.none}>No request was answered in this time.</p>
        )}
      </Figure>
      <Figure
        title={`Latency, ${quantile}`}
        describe={`Latency (${quantile}) by version, in steps of ${step}`}
        actions={
          <>
            <SegmentedControl
              aria-label="Which quantile"
              value={quantile}
              onChange={(q) => setQuantile(q === "p50" ? "p50" : "p99")}
              data={["p50", "p99"]}
            />
            <SegmentedControl
              aria-label="What is measured"
              value={of}
              onChange={(v) => setOf(v === "own" ? "own" : "answer")}
              data={[
                { value: "answer", label: "Answer" },
                { value: "own", label: "Model" },
              ]}
            />
          </>
        }
        table={() => (
          <LineTable {...table} label="Latency by version" lines={latency} formatY={inSeconds} />
        )}
      >
        {latency.length > 0 ? (
          <LineChart
            {...axis}
            describe={`Latency (${quantile}) by version, in steps of ${step}`}
            lines={latency}
            formatY={inSeconds}
            legend
          />
        ) : (
          <p className={css.none}>
            No duration was measured in this time.
            {of === "answer" && " A shadow answers nobody: see Model."}
          </p>
        )}
      </Figure>
      <Figure
        title={`Errors and failed scores, by version (in ${step})`}
        describe={`${count(served.total.errors)} errors and ${count(served.total.failed)} failed scores`}
        table={() => (
          <LineTable {...table} label="Errors by version" lines={errors} formatY={count} />
        )}
      >
        {errors.length > 0 ? (
          <LineChart
            {...axis}
            describe="Errors and failed scores by version"
            lines={errors}
            formatY={(n) => significant(n, 3)}
            legend
          />
        ) : (
          <p className={css.none}>
            Nothing failed in this time
            {served.total.refused > 0
              ? `; ${plural(served.total.refused, "request")} broke the signature or a bound, and was refused.`
              : "."}
          </p>
        )}
      </Figure>
    </Columns>
  );
}

function line(v: VersionTraffic, y: (number | null)[]): Line {
  return {
    label: v.version === 0 ? "no version" : `version ${v.version}`,
    y,
    color: colorOf(v.version),
  };
}

/** Where each step begins, in milliseconds. */
function stepsOf(served: Served): number[] {
  const [from, to] = [Date.parse(served.from), Date.parse(served.to)];
  const n = Math.ceil((to - from) / served.step_ms);
  return Array.from({ length: n }, (_, i) => from + i * served.step_ms);
}

/** How much of each step has passed: the last one may be under way. */
function covered(served: Served, x: number[]): (i: number) => number {
  const to = Date.parse(served.to);
  return (i) => Math.min(1, (to - (x[i] ?? to)) / served.step_ms);
}

/** The counts from a step before the first request to a step after the last. */
function whileThere(counts: readonly number[]): (number | null)[] {
  const first = counts.findIndex((n) => n > 0);
  const last = counts.findLastIndex((n) => n > 0);
  return counts.map((n, i) => (i < first - 1 || i > last + 1 ? null : n));
}

function rateIn(n: number, units: number, share: number): number | null {
  return share < 0.2 ? null : n / (units * share); // too little of it to say anything
}

/** The unit of time in which the highest rate is a number of some size. */
function unitOf(served: Served): { name: string; ms: number } {
  const top = Math.max(0, ...served.versions.flatMap((v) => v.requests)) / served.step_ms;
  const units = [
    { name: "per second", ms: 1000 },
    { name: "per minute", ms: 60_000 },
    { name: "per hour", ms: 3_600_000 },
  ];
  return units.find((u) => top * u.ms >= 1 || top === 0) ?? { name: "per day", ms: 86_400_000 };
}

function inUnit(n: number): string {
  return significant(n, 3);
}

function latencies(v: VersionTraffic, q: Quantile, of: "answer" | "own"): (number | null)[] {
  if (of === "own") return q === "p50" ? v.own_p50_s : v.own_p99_s;
  return q === "p50" ? v.p50_s : v.p99_s;
}

function inSeconds(s: number): string {
  return duration(s * 1000);
}
