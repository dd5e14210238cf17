"""A data set: a training part and a test part that fit together."""

from dataclasses import dataclass

from anabranch.data.checks import check_part
from anabranch.data.examples import Examples
from anabranch.errors import DataError, UsageError


@dataclass(frozen=True, eq=False)
class Dataset:
    """Training and test examples of one width. The constructor calls `validate`.

    `classes` is 0 for data without labels, and where the labels are targets of a regression (floating point);
    `image_shape` is (height, width) in pixels where a row is an image.
    """

    name: str
    train: Examples
    test: Examples
    classes: int = 0
    image_shape: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        self.validate()

    def validate(self) -> None:
        """Check both parts, and that they fit together. Features in memory are read whole, mapped ones not at all.

        Raises:
            DataError: a part is empty or damaged, or the two parts do not fit together.
            UsageError: `classes` says otherwise than the labels.
        """
        for examples, part in ((self.train, "training"), (self.test, "test")):
            self._check_classes(examples, part)
            check_part(examples, self.classes, f"the {part} part of {self.name}")
        if self.train.width != self.test.width:
            raise DataError(
                f"{self.name} has {self.train.width} features in its training part but {self.test.width} in its "
                "test part: both need the same features."
            )
        if self.image_shape is not None and self.image_shape[0] * self.image_shape[1] != self.train.width:
            height, width = self.image_shape
            raise DataError(
                f"{self.name} has {self.train.width} features, which are no images of {height} by {width} pixels: "
                f"an image shape must have {self.train.width} pixels."
            )

    def _check_classes(self, examples: Examples, part: str) -> None:
        if self.classes > 0 and examples.labels is None:
            raise DataError(
                f"the {part} part of {self.name} has no labels although {self.classes} classes are expected: "
                "give labels to both parts or to neither."
            )
        if examples.labels is not None and examples.labels.is_floating_point():
            if self.classes:
                raise UsageError(f"{self.name} has targets of a regression, but {self.classes} classes: use 0.")
        elif self.classes < 1 and examples.labels is not None:
            raise UsageError(f"{self.name} has labels, but the number of classes is {self.classes}: use 1 or more.")
