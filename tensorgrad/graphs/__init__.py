"""Pictures of graphs: as SVG, as a page to look around in, and what an op's place in the program was."""

from tensorgrad.graphs.collect import Graph as Graph
from tensorgrad.graphs.collect import Node as Node
from tensorgrad.graphs.notes import annotate as annotate
from tensorgrad.graphs.page import Page as Page
