"""The papers whose experiments can be run, by their names on the command line."""

from anabranch.experiments.alowaisheq2015 import Alowaisheq2015
from anabranch.experiments.degrazia2012 import DeGrazia2012
from anabranch.experiments.ma2014 import Ma2014
from anabranch.experiments.paper import Paper

PAPERS: dict[str, Paper] = {
    "degrazia2012": DeGrazia2012(),
    "alowaisheq2015": Alowaisheq2015(),
    "ma2014": Ma2014(),
}
