"""That a run which goes on has the data with which it began, and that all its ranks have the same."""

from anabranch.comm.base import Communicator
from anabranch.comm.offstage import offstage
from anabranch.comm.text import share_text
from anabranch.data import Dataset, Sketch, sketch
from anabranch.errors import DataError
from anabranch.runfolder import RunFolder


def check_same_data(dataset: Dataset, comm: Communicator, folder: RunFolder | None) -> None:
    """Compare this rank's data with what is noted in `folder`, and with rank 0's. Collective.

    Raises:
        DataError: they are others.
        CheckpointError: on rank 0, the note cannot be read.
        StorageError: on rank 0, it cannot be written.
    """
    mine = sketch(dataset.train, dataset.test, dataset.classes)
    if comm.rank == 0 and folder:
        if (noted := folder.noted_data()) is None:
            folder.note_data(mine)
        elif difference := noted.difference(mine):
            raise DataError(
                f"{dataset.name} is not what the run in {folder.path} began with ({difference}): "
                "put the data back as they were, or start a new run."
            )
    first = Sketch.from_json(share_text(offstage(comm), mine.as_json()))
    if difference := first.difference(mine):
        raise DataError(
            f"{dataset.name} on rank {comm.rank} is not what rank 0 has ({difference}): give all ranks the same data."
        )
