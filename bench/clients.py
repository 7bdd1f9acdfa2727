"""Trains nothing, and logs as a training does, in many processes at once.

python clients.py URL URL ...: each process makes a run at the first URL and logs to it,
then all go on to the next. Prints for each URL, in seconds, how long the processes took
together. Reads back what was logged where the URL does not end with "#".
"""

import json
import multiprocessing
import sys
import time

import mlflow  # once, before the processes fork

PROCESSES, STEPS = 16, 30


def train(client, experiment):
    run = client.create_run(experiment).info.run_id
    for i in range(5):
        client.log_param(run, f"p{i}", i)
    for step in range(STEPS):
        client.log_metric(run, "loss", 1 / (step + 1), step=step)
        at = int(time.time() * 1000)
        batch = [mlflow.entities.Metric(f"m{i}", step * i, at, step) for i in range(5)]
        client.log_batch(run, batch)
    client.set_terminated(run)
    return run


def check(client, run):
    data = client.get_run(run).data
    want = {"loss": 1 / STEPS, **{f"m{i}": (STEPS - 1) * i for i in range(5)}}
    if data.metrics != want or len(data.params) != 5:
        raise SystemExit(f"run {run} has {data.metrics} and {data.params}")


def work(urls, barrier):
    try:
        for url in urls:
            client = mlflow.MlflowClient(url.rstrip("#"))
            barrier.wait()
            run = train(client, "0")
            barrier.wait()
            if not url.endswith("#"):
                check(client, run)
    except BaseException:
        barrier.abort()  # the others would wait for this one
        raise


def main(urls):
    fork = multiprocessing.get_context("fork")
    barrier = fork.Barrier(PROCESSES + 1, timeout=120)
    workers = [fork.Process(target=work, args=(urls, barrier)) for _ in range(PROCESSES)]
    for w in workers:
        w.start()
    took = []
    for _ in urls:
        barrier.wait()
        began = time.monotonic()
        barrier.wait()
        took.append(time.monotonic() - began)
    for w in workers:
        w.join()
        if w.exitcode != 0:
            sys.exit("a process failed")
    print(json.dumps(took))


main(sys.argv[1:])
