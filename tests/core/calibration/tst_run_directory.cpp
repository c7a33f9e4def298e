#include <csignal>
#include <filesystem>
#include <fstream>
#include <limits>

#include <sys/resource.h>

#include <QTemporaryDir>
#include <QTest>
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/base/text.h"
#include "core/calibration/run_directory.h"

using namespace calibench;
namespace fs = std::filesystem;

/// Reading a run back, from directories in every state.
class TestRunDirectory : public QObject {
    Q_OBJECT

    std::unique_ptr<QTemporaryDir> dir_;

    [[nodiscard]] fs::path path(const char* name) const { return fs::path(dir_->path().toStdString()) / name; }
    [[nodiscard]] RunConfig config() const {
        RunConfig config;
        config.model_dir = path("model");
        config.dataset = path("text.txt");
        config.recipe_yaml = "quant_stage: {}\n";
        config.run_dir = path("run");
        config.num_samples = 7;
        config.seed = 18446744073709551615u;
        config.iters = 9;
        config.effort = "quick";
        config.dtype = "bfloat16";
        return config;
    }
    void begin() const {
        fs::create_directory(path("model"));
        std::ofstream(path("model") / "config.json") << "{}";
        std::ofstream(path("text.txt")) << "To be";
        RunDirectory directory(path("run"), config());
        directory.append(RunStarted{.model = "tiny", .num_blocks = 4, .dtype = "bfloat16"});
        directory.append(BlockStarted{0, "model.layers.0"});
    }
    void add(const std::string& bytes) const { std::ofstream(path("run") / "events.jsonl", std::ios::app | std::ios::binary) << bytes; }
    [[nodiscard]] QString error() const {
        try {
            (void)read_run(path("run"));
        } catch (const InputError& error) {
            return error.what();
        }
        return "accepted";
    }

private Q_SLOTS:
    void initTestCase();
    void init();
    void gives_back_what_it_was_given();
    void relative_paths_are_stored_whole();
    void endings_data();
    void endings();
    void names_file_and_line_data();
    void names_file_and_line();
    void refuses_what_is_no_run();
    void tells_a_hostile_block_number_from_a_block();
    void a_cut_off_line_is_dropped_before_the_next();
    void one_process_at_a_time();
    void a_full_disk_leaves_whole_lines();
};

void TestRunDirectory::initTestCase() { QTest::failOnWarning(QRegularExpression(".*")); }

void TestRunDirectory::init() { dir_ = std::make_unique<QTemporaryDir>(); }

void TestRunDirectory::gives_back_what_it_was_given() {
    begin();
    const StoredRun run = read_run(path("run"));
    QVERIFY(run.config == config());
    QCOMPARE(run.ending, StoredRun::Ending::Interrupted);
    QVERIFY(run.can_resume());
    QCOMPARE(run.events.size(), 2u);
    QCOMPARE(std::get<RunStarted>(run.events.front()).model, "tiny");
    QCOMPARE(run.blocks_done, 0);
}

void TestRunDirectory::relative_paths_are_stored_whole() {
    const fs::path before = fs::current_path();
    fs::current_path(path(""));
    RunConfig relative = config();
    relative.model_dir = "model";
    relative.dataset = "./text.txt";
    { const RunDirectory directory("run", relative); }
    fs::current_path(before);
    QCOMPARE(read_run(path("run")).config.model_dir, path("model"));
    QCOMPARE(read_run(path("run")).config.dataset, path("text.txt"));
}

void TestRunDirectory::endings_data() {
    QTest::addColumn<QByteArray>("last");
    QTest::addColumn<int>("ending");
    const auto add = [](const char* name, const RunEvent& event, StoredRun::Ending ending) {
        QTest::newRow(name) << QByteArray::fromStdString(to_json(event).dump() + "\n") << int(ending);
    };
    add("finished", RunFinished{}, StoredRun::Ending::Finished);
    add("stopped", RunStopped{2}, StoredRun::Ending::Stopped);
    add("failed", RunFailed{"no room"}, StoredRun::Ending::Failed);
    add("died", Progress{}, StoredRun::Ending::Interrupted);
    QTest::newRow("stopped, went on, died") << QByteArray::fromStdString(to_json(RunStopped{}).dump() + "\n" + to_json(RunStarted{}).dump() + "\n") << int(StoredRun::Ending::Interrupted);
    QTest::newRow("died while it told its end") << QByteArray(R"({"event": "run_finished", "sec)") << int(StoredRun::Ending::Interrupted);
    QTest::newRow("nothing but the end of the line is missing") << QByteArray(R"({"event": "run_stopped", "blocks_done": 2})") << int(StoredRun::Ending::Interrupted);
    QTest::newRow("zeros after a power cut") << QByteArray(5000, '\0') << int(StoredRun::Ending::Interrupted);
}

void TestRunDirectory::endings() {
    QFETCH(QByteArray, last);
    QFETCH(int, ending);
    begin();
    add(last.toStdString());
    QCOMPARE(int(read_run(path("run")).ending), ending);
    QCOMPARE(read_run(path("run")).can_resume(), StoredRun::Ending(ending) != StoredRun::Ending::Finished);
}

void TestRunDirectory::names_file_and_line_data() {
    QTest::addColumn<QByteArray>("line");
    QTest::newRow("no JSON") << QByteArray("what is this");
    QTest::newRow("empty") << QByteArray("");
    QTest::newRow("two objects") << QByteArray("{} {}");
    QTest::newRow("a list") << QByteArray("[]");
    QTest::newRow("unknown event") << QByteArray(R"({"event": "earthquake"})");
    QTest::newRow("incomplete event") << QByteArray(R"({"event": "loss", "block": 1})");
    QTest::newRow("wrong type") << QByteArray(R"({"event": "run_stopped", "blocks_done": "two"})");
    QTest::newRow("nested") << QByteArray(R"({"event": {"event": "paused"}})");
    QTest::newRow("nested deeply") << QByteArray(R"({"event": )") + QByteArray(1'000'000, '[');
    QTest::newRow("number too large") << QByteArray(R"({"event": "run_stopped", "blocks_done": 1e999})");
    QTest::newRow("not UTF-8") << QByteArray("{\"event\": \"\xff\xfe\"}");
    QTest::newRow("zeros") << QByteArray(100, '\0');
}

void TestRunDirectory::names_file_and_line() {
    QFETCH(QByteArray, line);
    begin();
    add(line.toStdString() + "\n" + to_json(Paused{}).dump() + "\n");
    const QString found = error();
    QVERIFY2(found.startsWith(QString::fromStdString((path("run") / "events.jsonl").string()) + ", line 3: "), qPrintable(found.left(300)));
    QVERIFY(found.size() < 1000);
    QVERIFY(!found.contains('\n'));
}

void TestRunDirectory::refuses_what_is_no_run() {
    QVERIFY2(error().contains("holds no run"), qPrintable(error()));
    fs::create_directory(path("run"));
    QVERIFY2(error().contains("holds no run"), qPrintable(error()));
    const auto about = [&](const char* text) { std::ofstream(path("run") / "run.json") << text; };
    for (const char* text : {"", "[]", "{", "7"}) {
        about(text);
        QVERIFY2(error().contains("run.json, line 1"), qPrintable(error()));
    }
    std::ofstream(path("run") / "events.jsonl") << "";
    for (const char* text : {"{}", R"({"config": 3, "recipe": ""})", R"({"config": {"model_dir": 3}, "recipe": ""})"}) {
        about(text);
        QVERIFY2(error().contains("run.json") && !error().contains("json.exception"), qPrintable(error()));
    }
}

void TestRunDirectory::tells_a_hostile_block_number_from_a_block() {
    begin();
    fs::create_directory(path("run") / "blocks");
    std::ofstream(path("run") / "blocks" / "model.layers.0.safetensors") << "x";
    for (const int64_t block : {int64_t(-1), int64_t(2), std::numeric_limits<int64_t>::max()}) add(to_json(BlockFinished{.block = block}).dump() + "\n");
    QCOMPARE(read_run(path("run")).blocks_done, 0);
    add(to_json(BlockFinished{.block = 0}).dump() + "\n");
    QCOMPARE(read_run(path("run")).blocks_done, 1);
}

void TestRunDirectory::a_cut_off_line_is_dropped_before_the_next() {
    begin();
    add(R"({"event": "los)");
    {
        const ReopenedRun reopened = RunDirectory::reopen(path("run"));
        QCOMPARE(reopened.run.events.size(), 2u);
        reopened.directory->append(RunStarted{.first_block = 0});
        reopened.directory->append(RecipeChanged{"quant_stage: {a: 1}\n"});
        reopened.directory->append(RunStopped{});
    }
    const StoredRun run = read_run(path("run"));
    QCOMPARE(run.events.size(), 5u);
    QCOMPARE(run.ending, StoredRun::Ending::Stopped);
    QCOMPARE(run.config.recipe_yaml, "quant_stage: {a: 1}\n");
    std::ifstream recipe(path("run") / "recipe.yaml");
    QCOMPARE(std::string(std::istreambuf_iterator<char>(recipe), {}), "quant_stage: {a: 1}\n");
    QCOMPARE(RunDirectory::reopen(path("run")).recipes, (std::vector<std::string>{"quant_stage: {}\n", "quant_stage: {a: 1}\n"}));
}

void TestRunDirectory::one_process_at_a_time() {
    begin();
    const ReopenedRun reopened = RunDirectory::reopen(path("run"));
    QVERIFY_EXCEPTION_THROWN((void)RunDirectory::reopen(path("run")), InputError);
    QVERIFY_EXCEPTION_THROWN(RunDirectory(path("run"), config()), InputError);
    QCOMPARE(read_run(path("run")).events.size(), 2u);
}

/// Half a line must not stay in the middle of a journal that later finds room again.
void TestRunDirectory::a_full_disk_leaves_whole_lines() {
    begin();
    const std::string before = [&] {
        std::ifstream stream(path("run") / "events.jsonl");
        return std::string(std::istreambuf_iterator<char>(stream), {});
    }();
    const rlim_t limit = before.size() + 10;
    rlimit old{};
    QCOMPARE(::getrlimit(RLIMIT_FSIZE, &old), 0);
    ::signal(SIGXFSZ, SIG_IGN);
    ReopenedRun reopened = RunDirectory::reopen(path("run"));
    const rlimit small{limit, old.rlim_max};
    QCOMPARE(::setrlimit(RLIMIT_FSIZE, &small), 0);
    bool failed = false;
    try {
        reopened.directory->append(RunFailed{std::string(500, 'x')});
    } catch (const RunError& error) {
        failed = QString(error.what()).contains("disk full");
    }
    ::setrlimit(RLIMIT_FSIZE, &old);
    QVERIFY(failed);
    QCOMPARE(fs::file_size(path("run") / "events.jsonl"), before.size());
    reopened.directory->append(RunStopped{1});
    QCOMPARE(read_run(path("run")).events.size(), 3u);
}

QTEST_GUILESS_MAIN(TestRunDirectory)
#include "tst_run_directory.moc"
