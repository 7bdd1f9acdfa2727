"""Writes classes.json: scikit-learn's metrics of the classes that stat's tests compare with.

Run by hand: python stat/testdata/classes.py > stat/testdata/classes.json
"""

import json
import random
import sys
import warnings

import sklearn
from sklearn import metrics

warnings.simplefilter("ignore")  # a class that was never predicted has precision 0
random.seed(3)


def noisy(labels, classes, right):
    return [y if random.random() < right else random.choice(classes) for y in labels]


def case(name, labels, predictions, decided=None):
    decided = decided or predictions
    return {
        "name": name,
        "labels": labels,
        "predictions": predictions,
        "metrics": {
            "accuracy": metrics.accuracy_score(labels, decided),
            "balanced_accuracy": metrics.balanced_accuracy_score(labels, decided),
            "precision_macro": metrics.precision_score(labels, decided, average="macro"),
            "recall_macro": metrics.recall_score(labels, decided, average="macro"),
            "f1_macro": metrics.f1_score(labels, decided, average="macro"),
        },
    }


three = random.choices([0, 1, 2], [6, 3, 1], k=60)
chances = [round(random.random(), 3) for _ in range(40)]
cases = [
    case("three classes", three, noisy(three, [0, 1, 2], 0.7)),
    case("a class that is never predicted", [0, 0, 1, 2, 2], [0, 0, 1, 1, 0]),
    case("a class that is no label", [0, 0, 1, 1], [0, 2, 1, 1]),
    case("classes that do not begin at 0", [-1, 7, 7, 3], [-1, 7, 3, 3]),
    case("probabilities of two", [int(c > 0.4) for c in chances], chances,
         [int(c >= 0.5) for c in chances]),
]
json.dump({"scikit-learn": sklearn.__version__, "cases": cases}, sys.stdout, indent=1)
