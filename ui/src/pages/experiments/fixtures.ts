/** An experiment and its runs, as the server tells them to the tests of this room. */
export const experiment = {
  id: "1",
  name: "rides",
  state: "active",
  created_ms: 1e12,
  updated_ms: 1e12,
  tags: {},
  activity: { runs: 2, running: 0, last_ms: 1e12 },
};

export const run = (id: string, more: object = {}) => ({
  id,
  name: `run ${id}`,
  experiment: "1",
  user: "ada",
  status: "FINISHED",
  state: "active",
  start_ms: 1e12,
  end_ms: 1e12 + 5000,
  children: 0,
  metrics: { auc: { last: 0.91234, step: 7, min: 0.2, max: 0.95, best: 0.95 } },
  params: { depth: "6" },
  tags: {},
  ...more,
});
