"""ZIP files that people bring: kept once, by content, and only if they can be used."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.datasets import load_dataset
from core.datasets.uploads import accept_upload, uploaded_datasets
from core.errors import InputError


def zip_of(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def png(value: int) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.full((8, 8), value, np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def two_classes(offset: int = 0) -> bytes:
    return zip_of(
        {f"{name}/{n}.png": png(offset + value + n) for name, value in (("cat", 10), ("dog", 200)) for n in range(5)}
    )


def test_what_is_brought_can_be_loaded_by_its_name_from_then_on(tmp_path):
    data = accept_upload(two_classes(), "my pets.zip", tmp_path)
    assert (data.classes, data.shape, len(data.train), len(data.test)) == (("cat", "dog"), (1, 8, 8), 8, 2)
    assert uploaded_datasets(tmp_path) == (data.name,)
    again = load_dataset(data.name, tmp_path)
    assert again.fingerprint == data.fingerprint
    assert (again.train.images == data.train.images).all()
    assert data.train.images[data.train.labels == 0].max() < 20


def test_equal_content_is_kept_once_whatever_it_is_called(tmp_path):
    content = two_classes()
    first = accept_upload(content, "pets.zip", tmp_path)
    assert accept_upload(content, "others.zip", tmp_path).name == first.name
    other = accept_upload(two_classes(5), "pets.zip", tmp_path)
    assert other.name != first.name
    assert len(uploaded_datasets(tmp_path)) == 2


@pytest.mark.parametrize("name", ["../../etc/passwd.zip", "..\\evil.zip", "/abs.zip", ".zip", "a\0b.zip", "x" * 300])
def test_no_name_leads_out_of_the_folder(tmp_path, name):
    data = accept_upload(two_classes(), name, tmp_path)
    path = Path(data.name.removeprefix("zip:"))
    assert path.parent.parent == tmp_path / "uploads"
    assert path.suffix == ".zip"
    assert len(path.name) < 80


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "no ZIP file"),
        (two_classes()[:200], "no ZIP file, or only part"),
        (zip_of({"../cat/1.png": png(1)}), "leads out of the ZIP"),
        (zip_of({"cat/1.png": png(1), "cat/2.png": png(2)}), "single class folder"),
        (zip_of({"cat/1.png": png(1), "dog/1.png": png(2)}), "a single image of"),
        (zip_of({"cat/1.png": b"text", "cat/2.png": png(2), "dog/1.png": png(1), "dog/2.png": png(3)}), "1.png"),
    ],
)
def test_what_cannot_be_used_gives_a_sentence_and_leaves_nothing(tmp_path, content, said):
    with pytest.raises(InputError, match=said) as caught:
        accept_upload(content, "pets.zip", tmp_path)
    assert str(tmp_path) not in str(caught.value)
    assert "pets.zip" in str(caught.value)
    assert uploaded_datasets(tmp_path) == ()
    assert [path for path in (tmp_path / "uploads").rglob("*") if path.is_file()] == []
