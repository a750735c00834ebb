"""Ground truth from intervals, figures in bounded memory, and scoring a whole data set."""
