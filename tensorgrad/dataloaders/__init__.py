"""Data loaders: a data set in batches, prepared ahead by threads or processes if wished."""

from tensorgrad.dataloaders.loader import DataLoader as DataLoader
from tensorgrad.dataloaders.loader import SeqDataLoader as SeqDataLoader
