# SPDX-License-Identifier: Apache-2.0
"""What a step in Python is written with.

A step is one function that takes the context and answers with a verdict:

    import cofferdam
    from cofferdam import config, log

    def migrate(context):
        config.rename("net.port", "server.port")
        log.info("the port moved")

    WitWorld = cofferdam.step(migrate)

Files are plain `open` and `os`; the root `/` is the install. Whatever the function raises is a failure of
the step: the operator reads its text, and nothing has changed.

`componentize-py` makes the component, and the modules below `wit_world` with it: they are the contract,
`wit/step.wit`. This module only makes them short to write.
"""

from componentize_py_types import Err
from wit_world.imports import config as _config
from wit_world.imports import log as _log
from wit_world.imports import progress as _progress
from wit_world.imports import types as _types

Phase = _types.Phase
Context = _types.Context

OK = _types.Verdict_Ok()
"""In every phase but `health`: go on. A function that returns nothing says this."""
HEALTHY = _types.Verdict_Healthy()
"""In `health`: the new version works."""


def refuse(reason):
    """The update is not for this machine as it is now."""
    return _types.Verdict_Refuse(reason)


def defer(reason, retry_after_seconds):
    """In `check`: not now."""
    return _types.Verdict_Defer(_types.Deferral(reason, retry_after_seconds))


def unhealthy(reason):
    """In `health`: the new version does not work, and the update is rolled back."""
    return _types.Verdict_Unhealthy(reason)


def progress(done, total, message):
    """Says how far the step has come, for a person who waits."""
    _progress.report(done, total, message)


def step(function):
    """Makes the class that `componentize-py` looks for in the module, under the name `WitWorld`."""

    class WitWorld:
        def run(self, context):
            try:
                verdict = function(context)
            except Exception as error:
                log.debug(_where(error))
                raise Err(_told(error)) from None
            return OK if verdict is None else verdict

    return WitWorld


class ConfigError(Exception):
    """A request for a key that was not carried out. Nothing has changed."""

    def __init__(self, key, error):
        self.key = key
        self.kind = type(error).__name__.removeprefix("Error_")
        why = {
            "NotGranted": "not granted to this step",
            "Secret": "a secret, which can only be moved",
            "NoSuchKey": "there is no such key",
        }
        super().__init__(f"configuration key `{key}`: {why.get(self.kind) or error.value}")


class config:
    """Keys of the configuration files that the package declares, one at a time."""

    @staticmethod
    def get(key):
        """The value at a key, a list for a list; `None` when the key is not there."""
        found = _asked(key, _config.get, key)
        if found is None:
            return None
        if isinstance(found, _config.Value_Sequence):
            return [scalar.value for scalar in found.value]
        return found.value.value

    @staticmethod
    def set(key, value):
        """Puts a value at a key. A key that is not there is made; one that is keeps its type."""
        if isinstance(value, (list, tuple)):
            value = _config.Value_Sequence([_scalar(one) for one in value])
        else:
            value = _config.Value_Scalar(_scalar(value))
        _asked(key, _config.set, key, value)

    @staticmethod
    def remove(key):
        """Takes a key away; says whether it was there."""
        return _asked(key, _config.remove, key)

    @staticmethod
    def rename(key, new_key):
        """Moves a value to another key, as it is written: all that can be done with a secret."""
        _asked(key, _config.rename, key, new_key)

    @staticmethod
    def list(prefix=None):
        """The keys below a prefix, in the order of the file; keys of values, and no secrets."""
        return _asked(prefix, _config.list, prefix)


class log:
    """Lines for the operator and for the record of the update."""

    @staticmethod
    def debug(message):
        """For the author of the step."""
        _log.write(_log.Level.DEBUG, str(message))

    @staticmethod
    def info(message):
        """What was done."""
        _log.write(_log.Level.INFO, str(message))

    @staticmethod
    def warn(message):
        """What the operator should know."""
        _log.write(_log.Level.WARN, str(message))

    @staticmethod
    def error(message):
        """What went wrong."""
        _log.write(_log.Level.ERROR, str(message))


def _asked(key, function, *arguments):
    try:
        return function(*arguments)
    except Err as error:
        raise ConfigError(key, error.value) from None


def _scalar(value):
    # `bool` first: it is a kind of `int`.
    if isinstance(value, bool):
        return _config.Scalar_Boolean(value)
    if isinstance(value, int):
        return _config.Scalar_Integer(value)
    if isinstance(value, float):
        return _config.Scalar_Decimal(value)
    return _config.Scalar_Text(str(value))


def _told(error):
    """The error and its causes in one line, as the operator reads it."""
    parts = []
    while error is not None:
        text = str(error)
        name = type(error).__name__
        # Words of the step's own need no name of a class; `KeyError: 'schema'` does.
        own = type(error) in (Exception, RuntimeError, ConfigError) or isinstance(error, OSError)
        parts.append(text if own and text else f"{name}: {text}" if text else name)
        error = error.__cause__
    return ": ".join(parts)


def _where(error):
    """Where it was raised, innermost last; without the source's text, which is not in the sandbox."""
    places = []
    trace = error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        places.append(f"{code.co_filename.rpartition('/')[2]}:{trace.tb_lineno} in {code.co_name}")
        trace = trace.tb_next
    return f"{type(error).__name__} raised at {', '.join(places[1:])}"
