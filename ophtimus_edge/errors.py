"""Every error that a person can meet.

An error says what happened (``message``) and what to do next (``hint``). The command line prints the
two as two lines and ends with ``exit_code``; the app shows them in the place of the answer. Nothing
else ever reaches a user.
"""


class OphtimusError(Exception):
    """What happened, and what to do next.

    Attributes:
        message: one sentence that says what happened, in plain words, naming the file or value.
        hint: one sentence that says what the reader can do about it.
        exit_code: what a command ends with.
    """

    exit_code = 1

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message, hint)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}"


class UsageError(OphtimusError):
    """A command was called with words that do not fit together."""

    exit_code = 2


class QuestionError(OphtimusError):
    """A question cannot be asked: it is empty, or longer than the model's context."""


class ModelNotFoundError(OphtimusError):
    """There is no model of that name, level or path."""


class InvalidModelError(OphtimusError):
    """A model file or model folder is damaged, of another kind, or not what its description says."""


class WithdrawnModelError(OphtimusError):
    """A model was taken back by its maker; it answers nothing any more.

    Attributes:
        reason: its maker's words by language, ``en`` and ``ko``; the message has the English ones.
    """

    def __init__(self, message: str, hint: str, reason: dict[str, str] | None = None) -> None:
        super().__init__(message, hint)
        self.reason = reason or {}


class FormatVersionError(OphtimusError):
    """A file was written by a newer release than this one."""


class FolderNotWritableError(OphtimusError):
    """A folder that the program must write to cannot be written."""


class SettingsError(OphtimusError):
    """The settings file cannot be read, or has a key or a value that is not known."""


class OwnSettingsError(SettingsError):
    """A person's own settings file cannot be used; it is left as it is."""


class HistoryError(OphtimusError):
    """Something that the history of talks cannot do; what was kept is as it was."""


class HistoryLockedError(HistoryError):
    """The history is locked, and what was given does not open it."""


class RecoveryKeyMistypedError(HistoryLockedError):
    """What was typed is no recovery key: its own checksum says so, whatever history it is meant for."""


class PassphraseTooShortError(HistoryError):
    """A new passphrase is too short to protect anything."""


class HistoryReadOnlyError(HistoryError):
    """The history can only be read here: another program writes to it, or its folder takes no changes."""


class HistoryBusyError(HistoryError):
    """Another program has the history open, and this has to wait for it."""


class HistoryFullError(HistoryError):
    """The disk is full: what was kept can be read, and nothing new can be kept."""


class HistoryDamagedError(HistoryError):
    """A file of the history is damaged or cut, or its key belongs to another one; it is left as it is."""


class HistoryNewerError(HistoryError):
    """The history was changed by a newer release in a way that this one cannot follow."""


class TalkNotFoundError(HistoryError):
    """There is no such talk in the history: it was deleted, or never kept."""


class BackupError(HistoryError):
    """A backup of a history cannot be written, or is not whole; nothing was put in place."""


class ProfileError(HistoryError):
    """A profile cannot have that name, or there is no such profile."""


class RecoveryKeyPlaceError(HistoryError):
    """A recovery key is not written beside the history that it opens."""


class HistoryExportError(HistoryError):
    """Conversations cannot be written out: the file exists, or its disk is full."""


class HistoryImportError(HistoryError):
    """A file of exported conversations is damaged, too large, or holds what no talk can be."""


class HandoutRefusedError(HistoryError):
    """A patient handout cannot be made of an answer, or not without what is missing."""


class MissingExtraError(OphtimusError):
    """A part of the program is not installed."""


class EngineError(OphtimusError):
    """The process that runs the model failed or ended.

    Attributes:
        log_lines: the last lines of the engine's log, oldest first; empty where there are none.
    """

    def __init__(self, message: str, hint: str, log_lines: tuple[str, ...] = ()) -> None:
        super().__init__(message, hint)
        self.log_lines = log_lines


class StatisticsError(OphtimusError):
    """A statistic cannot be computed from what was measured: it is too little, or no number."""


class ComparisonError(OphtimusError):
    """Levels cannot be compared with each other, or not on what was named for it."""


class OtherVocabularyError(ComparisonError):
    """A level and its reference read texts as other tokens: their predictions cannot be compared."""


class TextTooShortError(ComparisonError):
    """A text holds fewer tokens than two windows, and one alone gives no interval."""


class CalibrationTextError(ComparisonError):
    """A level was prepared on passages of the text that it is to be measured on."""


class ReportError(ComparisonError):
    """A report of a comparison cannot be read or written; measured figures are kept."""


class VotesError(ComparisonError):
    """Votes of a blind test cannot be read or kept, or are about other files."""


class ConversionError(OphtimusError):
    """A checkpoint or adapter cannot be turned into a GGUF file."""


class HubError(ConversionError):
    """A checkpoint cannot be had from the hub, or from the copy of it that the hub's cache holds."""


class ConversionInterruptedError(ConversionError):
    """The process that quantizes ended before its time; what it finished is kept."""


class AdapterError(ConversionError):
    """An adapter asks for something that would not be merged right."""


class RecipeError(OphtimusError):
    """A training recipe, or a value set over it, is not valid."""


class TrainingDataError(OphtimusError):
    """A question file is missing, damaged, or breaks a rule that training relies on."""


class BaseCheckpointError(OphtimusError):
    """The checkpoint that training starts from is missing, quantized, or without what training needs."""


class TrainingError(OphtimusError):
    """A run cannot go on here: too little memory, no GPU, or attention that mixes sequences."""


class PlanError(OphtimusError):
    """A training cannot be planned: nothing is known of its base or of the device."""


class DeviceError(OphtimusError):
    """A training does not fit what it is to run on: too little memory, or no GPU where one is needed."""


class AuditFailedError(TrainingDataError):
    """Data would be trained on in a way that nobody means: without an end, without a mask, twice begun, cut."""


class DataHubError(TrainingDataError):
    """A data set cannot be had from the hub, or from the copy of it that the hub's cache holds."""


class CheckpointError(OphtimusError):
    """A checkpoint of a training run cannot be written, or does not belong to the run; what was kept is as it was."""


class TrainingStoppedError(OphtimusError):
    """A training run was told to stop; it kept a checkpoint first, or says that it could not.

    Attributes:
        exit_code: 128 and the signal's number, as shells have it.
    """

    def __init__(self, message: str, hint: str, exit_code: int) -> None:
        super().__init__(message, hint)
        self.exit_code = exit_code


class MergeGateError(OphtimusError):
    """A merged checkpoint does not compute what the adapter on its base computes; it does not appear."""


class KitError(OphtimusError):
    """A kit is damaged, incomplete, changed, or not one that may be installed here."""


class KitChangedError(KitError):
    """A kit's files are not those that its manifest lists.

    Attributes:
        faults: what is wrong, each with the path in the kit, all of them.
    """

    def __init__(self, message: str, hint: str, faults: tuple[tuple[str, str], ...]) -> None:
        super().__init__(message, hint)
        self.faults = faults


class KitSignatureError(KitError):
    """No key that is trusted here vouches for a kit, or a key cannot be used."""


class KitBuildError(OphtimusError):
    """A kit cannot be built of what was named."""


class KitInstallError(OphtimusError):
    """A kit cannot be installed, updated, rolled back or removed here; what ran before still runs."""
