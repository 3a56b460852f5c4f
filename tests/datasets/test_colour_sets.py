"""CIFAR-10, SVHN, GTSRB and folders of images, on small stand-ins laid out like the published files."""

from __future__ import annotations

import hashlib
import io
import os
import pickle
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from core.datasets import colour_sets, describe, fingerprint, load_dataset
from core.errors import InputError
from core.training.spec import make_spec

CIFAR_FILES = [*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"]


def md5(content: bytes) -> str:
    return hashlib.md5(content).hexdigest()


def batch(seed: int, count: int = 7) -> dict:
    rng = np.random.default_rng(seed)
    data = rng.integers(0, 256, (count, 3072)).astype(np.uint8)
    return {"batch_label": f"batch {seed}", "labels": rng.integers(0, 10, count).tolist(), "data": data}


def publish_cifar(monkeypatch, mirror: Path, batches: dict[str, bytes]) -> None:
    from torchvision.datasets import CIFAR10

    mirror.mkdir(exist_ok=True)
    with tarfile.open(mirror / CIFAR10.filename, "w:gz") as archive:
        for name, content in batches.items():
            member = tarfile.TarInfo(f"{CIFAR10.base_folder}/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    monkeypatch.setattr(CIFAR10, "url", (mirror / CIFAR10.filename).as_uri())
    monkeypatch.setattr(CIFAR10, "tgz_md5", md5((mirror / CIFAR10.filename).read_bytes()))
    listed = [[name, md5(batches[name])] for name in CIFAR_FILES]
    monkeypatch.setattr(CIFAR10, "train_list", listed[:5])
    monkeypatch.setattr(CIFAR10, "test_list", listed[5:])


@pytest.fixture
def cifar(tmp_path, monkeypatch) -> dict[str, dict]:
    batches = {name: batch(seed) for seed, name in enumerate(CIFAR_FILES)}
    publish_cifar(
        monkeypatch, tmp_path / "mirror", {name: pickle.dumps(one, protocol=2) for name, one in batches.items()}
    )
    return batches


def test_cifar10_is_fetched_read_and_kept(cifar, tmp_path):
    shares = []
    data = load_dataset("cifar10", tmp_path / "root", lambda share, text: shares.append(share))
    expected = np.concatenate([cifar[name]["data"] for name in CIFAR_FILES[:5]]).reshape(-1, 3, 32, 32)
    assert np.array_equal(data.train.images.numpy(), expected)
    assert data.test.labels.tolist() == cifar["test_batch"]["labels"]
    assert (data.shape, len(data.classes), data.fingerprint) == ((3, 32, 32), 10, fingerprint("cifar10"))
    assert shares == sorted(shares)
    for file in (tmp_path / "mirror").iterdir():
        file.unlink()
    (tmp_path / "root" / "cifar-10-python.tar.gz").unlink()
    assert torch.equal(load_dataset("cifar10", tmp_path / "root").train.images, data.train.images)


def test_cifar10_that_torchvision_unpacked_is_taken_and_torchvision_agrees(cifar, tmp_path, monkeypatch):
    from torchvision.datasets import CIFAR10

    root = tmp_path / "root"
    with tarfile.open(tmp_path / "mirror" / CIFAR10.filename) as archive:
        archive.extractall(root, filter="data")
    meta = pickle.dumps({"label_names": list(describe("cifar10").classes)})
    (root / CIFAR10.base_folder / "batches.meta").write_bytes(meta)
    monkeypatch.setattr(CIFAR10, "meta", CIFAR10.meta | {"md5": md5(meta)})
    monkeypatch.setattr(CIFAR10, "url", "file:///nowhere")
    data, theirs = load_dataset("cifar10", root), CIFAR10(root, train=False)
    assert np.array_equal(theirs.data.transpose(0, 3, 1, 2), data.test.images.numpy())
    assert theirs.targets == data.test.labels.tolist()


def test_a_cifar10_file_that_is_another_is_refused(cifar, tmp_path):
    folder = tmp_path / "root" / "cifar-10-batches-py"
    folder.mkdir(parents=True)
    (folder / "test_batch").write_bytes(b"another")
    with pytest.raises(InputError, match="holds no"):
        load_dataset("cifar10", tmp_path / "root")


def test_a_cifar10_file_is_never_run(cifar, tmp_path, monkeypatch):
    class Runs:
        def __reduce__(self):
            return Path.touch, (tmp_path / "was run",)

    batches = {name: pickle.dumps(Runs(), protocol=2) for name in CIFAR_FILES}
    publish_cifar(monkeypatch, tmp_path / "mirror", batches)
    with pytest.raises(InputError, match="which no data needs"):
        load_dataset("cifar10", tmp_path / "root")
    assert not (tmp_path / "was run").exists()


def test_svhn_is_read_as_torchvision_reads_it(tmp_path, monkeypatch):
    from scipy.io import savemat
    from torchvision.datasets import SVHN

    rng, listed = np.random.default_rng(0), {}
    for name, count in (("train", 12), ("test", 8)):
        path = tmp_path / f"{name}_32x32.mat"
        images, labels = rng.integers(0, 256, (32, 32, 3, count)).astype(np.uint8), 1 + np.arange(count)[:, None] % 10
        savemat(path, {"X": images, "y": labels.astype(np.uint8)})
        listed[name] = [path.as_uri(), path.name, md5(path.read_bytes())]
    monkeypatch.setattr(SVHN, "split_list", listed)
    data = load_dataset("svhn", tmp_path / "root")
    theirs = SVHN(tmp_path / "root", split="train")
    assert np.array_equal(theirs.data, data.train.images.numpy())
    assert theirs.labels.tolist() == data.train.labels.tolist() == [1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1, 2]
    assert (data.shape, data.classes[0], len(data.test)) == ((3, 32, 32), "0", 8)


def ppm(colour: tuple[int, int, int], size: tuple[int, int]) -> bytes:
    packed = io.BytesIO()
    Image.new("RGB", size, colour).save(packed, "PPM")
    return packed.getvalue()


@pytest.fixture
def gtsrb(tmp_path, monkeypatch) -> Path:
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    training = {
        f"GTSRB/Training/{label:05}/{number:05}_00000.ppm": ppm((label * 5, number, 9), (20 + label, 30))
        for label in (0, 14, 42)
        for number in range(3)
    }
    training |= {"GTSRB/Training/00014/GT-00014.csv": b"Filename;ClassId\n", "GTSRB/Readme-Images.txt": b"words"}
    testing = {f"GTSRB/Final_Test/Images/{number:05}.ppm": ppm((1, number, 2), (40, 25)) for number in range(4)}
    truth = "Filename;Width;Height;Roi.X1;Roi.Y1;Roi.X2;Roi.Y2;ClassId\n"
    truth += "".join(f"{number:05}.ppm;40;25;1;1;30;20;{10 * number}\n" for number in range(4))
    contents = (training, testing, {"GT-final_test.csv": truth.encode()})
    checksums = {}
    for name, members in zip(colour_sets.GTSRB_FILES, contents, strict=True):
        with zipfile.ZipFile(mirror / name, "w") as archive:
            for member, content in members.items():
                archive.writestr(member, content)
        checksums[name] = md5((mirror / name).read_bytes())
    monkeypatch.setattr(colour_sets, "GTSRB_FILES", checksums)
    monkeypatch.setattr(colour_sets, "GTSRB_ADDRESS", mirror.as_uri() + "/")
    return mirror


def test_gtsrb_is_brought_to_one_size_with_its_labels(gtsrb, tmp_path):
    data = load_dataset("gtsrb", tmp_path / "root")
    assert data.shape == (3, 32, 32)
    assert data.train.labels.tolist() == [0, 0, 0, 14, 14, 14, 42, 42, 42]
    assert data.train.images[4].flatten(1).float().mean(1).tolist() == [70, 1, 9]
    assert data.test.labels.tolist() == [0, 10, 20, 30]
    assert data.test.images[3, 1].unique().tolist() == [3]
    assert data.classes[14] == "stop"
    assert len(data.classes) == 43


def test_what_cannot_be_fetched_leaves_nothing(gtsrb, tmp_path, monkeypatch):
    (gtsrb / "GTSRB_Final_Test_Images.zip").write_bytes(b"another file")
    with pytest.raises(
        InputError, match=r"GTSRB_Final_Test_Images\.zip could not be fetched .*wrong checksum.*offline"
    ):
        load_dataset("gtsrb", tmp_path / "root")
    monkeypatch.setattr(colour_sets, "GTSRB_ADDRESS", "file:///nowhere/")
    with pytest.raises(InputError, match="could not be fetched"):
        load_dataset("gtsrb", tmp_path / "root")
    assert [path.name for path in (tmp_path / "root" / "gtsrb").iterdir()] == ["GTSRB-Training_fixed.zip"]


# --- folders


@pytest.fixture
def photos(tmp_path) -> Path:
    for label, colour in (("red", (200, 10, 10)), ("green", (10, 200, 10))):
        for number in range(5):
            path = tmp_path / "photos" / label / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (12, 10), colour).save(path)
    (tmp_path / "photos" / "notes.txt").write_text("nothing")
    return tmp_path / "photos"


def test_a_folder_of_class_folders_is_a_data_set(photos, tmp_path):
    data = load_dataset(f"folder:{photos}", tmp_path / "root")
    assert (data.classes, data.shape, len(data.train), len(data.test)) == (("green", "red"), (3, 10, 12), 8, 2)
    for image, label in zip(data.train.images, data.train.labels, strict=True):
        assert image[:, 0, 0].tolist() == ([10, 200, 10], [200, 10, 10])[label]
    assert data.fingerprint == fingerprint(f"folder:{photos}")
    assert describe(f"folder:{photos}").title == "photos"


def test_a_folder_gives_what_its_zip_gives(photos, tmp_path):
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as archive:
        for path in sorted(photos.rglob("*.png")):
            archive.write(path, path.relative_to(photos))
    one, other = (
        load_dataset(name, tmp_path / "root") for name in (f"folder:{photos}", f"zip:{tmp_path / 'photos.zip'}")
    )
    assert torch.equal(one.train.images, other.train.images)
    assert torch.equal(one.test.labels, other.test.labels)


def test_a_folder_is_known_by_its_content_wherever_it_lies(photos, tmp_path):
    name, before = f"folder:{photos}", fingerprint(f"folder:{photos}")
    spec = make_spec(dataset=name, fingerprint=before)
    photos.rename(tmp_path / "moved")
    moved = f"folder:{tmp_path / 'moved'}"
    assert fingerprint(moved) == before
    assert make_spec(dataset=moved, fingerprint=before).hash == spec.hash
    (tmp_path / "moved" / "red" / "0.png").rename(tmp_path / "moved" / "red" / "9.png")
    assert fingerprint(moved) != before


def test_a_relative_folder_means_the_same_to_a_worker_elsewhere(photos, monkeypatch):
    monkeypatch.chdir(photos.parent)
    assert make_spec(dataset="folder:photos").dataset == f"folder:{photos}"


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda folder: (folder / "red" / "0.png").write_bytes(b""), "'red/0.png' in photos has 0 bytes"),
        (lambda folder: (folder / "red" / "0.png").write_bytes(b"words"), "'red/0.png' in photos can't be read as"),
        (lambda folder: os.mkfifo(folder / "red" / "pipe.png"), "'red/pipe.png' in photos is no plain file"),
        (lambda folder: (folder / "red" / "gone.png").symlink_to("/nowhere"), "'red/gone.png' in photos can't be read"),
        (lambda folder: (folder / "red").rename(folder.parent / "red"), "single class folder, 'green'"),
        (lambda folder: folder.rename(folder.parent / "away"), "is not there"),
    ],
)
def test_what_a_folder_is_refused_for(photos, tmp_path, spoil, says):
    spoil(photos)
    with pytest.raises(InputError, match=says):
        load_dataset(f"folder:{photos}", tmp_path / "root")
    assert not (tmp_path / "root" / "zip-cache").exists()


def test_a_link_in_a_circle_comes_to_an_end(photos, tmp_path):
    (photos / "red" / "again").symlink_to(photos)
    assert len(load_dataset(f"folder:{photos}", tmp_path / "root").train) == 8
