"""What every Job must be. A test module subclasses JobContract and gives a `job` fixture."""

from pydantic import TypeAdapter

from opsctl.core.job import Job


class JobContract:
    """Subclass, and provide the fixture `job`."""

    def test_it_is_plain_data(self, job: Job) -> None:
        assert Job.model_validate_json(job.model_dump_json()) == job

    def test_its_words_are_words(self, job: Job) -> None:
        assert TypeAdapter(tuple[str, ...]).validate_python(job.argv, strict=True)
        assert job.argv[0] != "opsctl", "argv begins after the program's name"

    def test_it_ends_and_leaves_a_record(self, job: Job) -> None:
        assert 0 < job.timeout_s <= 24 * 3600
        assert job.expects
