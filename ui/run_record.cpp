#include "ui/run_record.h"

#include <algorithm>

namespace calibench {

namespace {

/// "model.layers.3" of "model.layers.3.mlp.up_proj".
std::string nameOfBlock(const std::string& module, int block) {
    const std::string part = "." + std::to_string(block);
    const size_t at = module.find(part + ".");
    return at == std::string::npos ? std::string() : module.substr(0, at + part.size());
}

}  // namespace

int BlockRecord::counted() const {
    const int newest = static_cast<int>(attempts.size()) - 1;
    return result ? std::min(static_cast<int>(result->kept_attempt), newest) : newest;
}

const SeriesStore& BlockRecord::losses() const {
    static const SeriesStore none;
    return attempts.empty() ? none : attempts[static_cast<size_t>(counted())].losses;
}

std::optional<SeriesPoint> BlockRecord::best() const {
    return attempts.empty() ? std::nullopt : attempts[static_cast<size_t>(counted())].best;
}

void RunRecord::begin(const ModelSummary& model) {
    *this = {};
    m_blocks.resize(static_cast<size_t>(std::max<int64_t>(0, model.num_blocks)));
    for (const ModuleInfo& info : model.modules) {
        if (info.class_name == "Linear") module(info.name, info.block, info.expert);
        if (BlockRecord* record = block(info.block); record && record->name.empty()) record->name = nameOfBlock(info.name, info.block);
    }
}

ModuleRecord& RunRecord::module(const std::string& name, int block, int expert) {
    const auto [place, isNew] = m_index.try_emplace(name, m_modules.size());
    if (isNew) {
        m_modules.push_back({.name = name, .projection = name.substr(name.rfind('.') + 1), .block = block, .expert = expert});
        m_numExperts = std::max(m_numExperts, expert + 1);
    }
    return m_modules[place->second];
}

BlockRecord* RunRecord::block(int64_t index) {
    if (index < 0) return nullptr;
    if (static_cast<size_t>(index) >= m_blocks.size()) m_blocks.resize(static_cast<size_t>(index) + 1);
    return &m_blocks[static_cast<size_t>(index)];
}

AttemptRecord& RunRecord::attempt(BlockRecord& block, int64_t index) {
    const auto place = static_cast<size_t>(std::max<int64_t>(0, index));
    if (place >= block.attempts.size()) block.attempts.resize(place + 1);
    return block.attempts[place];
}

const ModuleRecord* RunRecord::find(const std::string& module) const {
    const auto place = m_index.find(module);
    return place == m_index.end() ? nullptr : &m_modules[place->second];
}

void RunRecord::begin(const RunStarted& started) {
    m_started = started;
    for (size_t i = static_cast<size_t>(std::max<int64_t>(0, started.first_block)); i < m_blocks.size(); ++i)
        m_blocks[i] = {.name = m_blocks[i].name};
}

int RunRecord::blockOf(const std::string& name) const {
    if (name.empty()) return -1;
    if (const ModuleRecord* known = find(name)) return known->block;
    for (size_t i = 0; i < m_blocks.size(); ++i) {
        const std::string& block = m_blocks[i].name;
        const bool within = !block.empty() && name.starts_with(block) && (name.size() == block.size() || name[block.size()] == '.');
        if (within) return static_cast<int>(i);
    }
    return -1;
}

void RunRecord::apply(const RunSnapshot& snapshot) {
    if (snapshot.started) begin(*snapshot.started);
    for (const BlockStarted& event : snapshot.blocksStarted)
        if (BlockRecord* record = block(event.block)) {
            record->state = BlockRecord::State::Calibrating;
            if (!event.name.empty()) record->name = event.name;
        }
    for (const BlockRedone& event : snapshot.blocksRedone)
        if (BlockRecord* record = block(event.block)) {
            AttemptRecord& begun = attempt(*record, event.attempt);
            begun.changes = event.changes;
            begun.iters = event.iters;
            begun.lr = event.lr;
        }
    for (const RangeObserved& event : snapshot.ranges) {
        ModuleRecord& record = module(event.module, static_cast<int>(event.block), -1);
        (event.tap == Tap::Weight ? record.weight : event.tap == Tap::Input ? record.input : record.output) = event;
    }
    for (const TokensCounted& event : snapshot.tokens)
        module(event.module, static_cast<int>(event.block), static_cast<int>(event.expert)).tokens = event.tokens;
    for (const LossRecorded& event : snapshot.losses) {
        BlockRecord* record = block(event.block);
        if (!record) continue;
        const SeriesPoint point{static_cast<double>(event.iteration), event.loss_mse};
        AttemptRecord& tried = attempt(*record, event.attempt);
        tried.losses.append(point.x, point.y);
        if (event.best) tried.best = point;
        record->state = BlockRecord::State::Tuning;
    }
    for (const ModuleQuantized& event : snapshot.modulesQuantized) {
        ModuleRecord& record = module(event.module, static_cast<int>(event.block), -1);
        record.sqnrDb = event.scheme.empty() ? std::nullopt : std::optional(event.weight_sqnr_db);
        record.scheme = event.scheme;
    }
    for (const OutputErrorMeasured& event : snapshot.outputErrors) module(event.module, static_cast<int>(event.block), -1).outputError = event;
    for (const BlockFinished& event : snapshot.blocksFinished)
        if (BlockRecord* record = block(event.block)) {
            record->result = event;
            record->state = BlockRecord::State::Done;
        }
    if (snapshot.progress) m_progress = snapshot.progress;
}

}  // namespace calibench
