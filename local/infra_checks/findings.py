"""One thing that is wrong, where it is and what to do."""

from dataclasses import dataclass


@dataclass(frozen=True, order=True, slots=True)
class Finding:
    """A line of the gate's answer: `file:line: rule: what is wrong; what to do`."""

    file: str
    line: int
    rule: str
    wrong: str
    mend: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.rule}: {self.wrong}; {self.mend}"
