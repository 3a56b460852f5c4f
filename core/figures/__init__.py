"""Results drawn as Plotly figures, one file a figure. Figures are returned, never shown."""
