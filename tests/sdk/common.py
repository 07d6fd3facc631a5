"""What the programs of the Python clients share."""

import json
import sys
import urllib.request


def control(base, path, body):
    """Orders something of the sandbox, by its control API, and returns the answer."""
    request = urllib.request.Request(
        f"{base}/{path}",
        data=json.dumps(body).encode(),
        headers={"content-type": "application/json"},
        method="POST",
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        text = answer.read()
    return json.loads(text) if text else None


def order(base, endpoint, effect, times=1):
    """Orders a fault of the sandbox."""
    return control(base, "faults", {"endpoint": endpoint, "times": times, "effect": effect})


def refusal(kind, call):
    """Returns the exception of a call that has to be refused with one of this very kind."""
    try:
        result = call()
    except Exception as error:  # noqa: BLE001
        if type(error) is not kind:
            raise AssertionError(f"{type(error).__name__} instead of {kind.__name__}: {error}") from error
        return error
    raise AssertionError(f"it was not refused: {result}")


def same(found, expected):
    if found != expected:
        raise AssertionError(f"{found!r} instead of {expected!r}")


def arguments(count):
    if len(sys.argv) != count + 1:
        raise SystemExit(f"{count} arguments, not {sys.argv[1:]}")
    return sys.argv[1:]
