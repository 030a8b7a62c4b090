"""The errors a user can cause and mend; the command line prints them without a traceback."""


class LbaeError(Exception):
    """Base of the errors below: the message names the value, the bound and the way out."""


class ConfigError(LbaeError):
    """A profile, an option or a notebook parameter is unknown or out of bounds."""


class DataError(LbaeError):
    """Images or attributes are missing, damaged or of the wrong shape."""


class CheckpointError(LbaeError):
    """A checkpoint, model or latent file is missing, damaged or of another run."""


class FormatError(LbaeError):
    """A compressed file is damaged, foreign, too new, too large, or of another model."""


class WriteError(LbaeError):
    """A file cannot be written, or another run is writing there; what was there is kept."""
