"""Cells that ran, as a Jupyter notebook and as a page of HTML.

Place in the house: executor layer, below ``notebook``; the only user of nbformat and nbconvert.
``entry`` is one cell as it is remembered, ``celldata`` and ``rundata`` say what the metadata
hold, ``shown`` what a reader sees of it, ``cells`` makes the notebook's cells, ``files`` and
``page`` write it.
"""
