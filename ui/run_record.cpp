#include "ui/run_record.h"

#include <algorithm>

namespace calibench {

void RunRecord::begin(const ModelSummary& model) {
    *this = {};
    m_blocks.resize(static_cast<size_t>(std::max<int64_t>(0, model.num_blocks)));
    for (const ModuleInfo& info : model.modules)
        if (info.class_name == "Linear") module(info.name, info.block, info.expert);
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

const ModuleRecord* RunRecord::find(const std::string& module) const {
    const auto place = m_index.find(module);
    return place == m_index.end() ? nullptr : &m_modules[place->second];
}

void RunRecord::apply(const RunSnapshot& snapshot) {
    if (snapshot.started) m_started = snapshot.started;
    for (const BlockStarted& event : snapshot.blocksStarted)
        if (BlockRecord* record = block(event.block)) record->state = BlockRecord::State::Calibrating;
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
        record->losses.append(point.x, point.y);
        if (event.best) record->best = point;
        record->state = BlockRecord::State::Tuning;
    }
    for (const ModuleQuantized& event : snapshot.modulesQuantized)
        module(event.module, static_cast<int>(event.block), -1).sqnrDb = event.weight_sqnr_db;
    for (const BlockFinished& event : snapshot.blocksFinished)
        if (BlockRecord* record = block(event.block)) {
            record->result = event;
            record->state = BlockRecord::State::Done;
        }
    if (snapshot.progress) m_progress = snapshot.progress;
}

}  // namespace calibench
