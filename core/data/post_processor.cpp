#include "core/data/post_processor.h"

#include <string>
#include <utility>

#include "core/base/text.h"

namespace calibench {

namespace {

class Surround : public PostProcessor {
public:
    Surround(std::vector<int64_t> before, std::vector<int64_t> after)
        : before_(std::move(before)), after_(std::move(after)) {}

    void apply(std::vector<int64_t>& ids) const override {
        ids.insert(ids.begin(), before_.begin(), before_.end());
        ids.insert(ids.end(), after_.begin(), after_.end());
    }

private:
    std::vector<int64_t> before_;
    std::vector<int64_t> after_;
};

class Sequence : public PostProcessor {
public:
    explicit Sequence(const JsonNode& list) {
        for (const JsonNode& item : list.items())
            if (auto step = make_post_processor(item))
                steps_.push_back(std::move(step));
    }

    void apply(std::vector<int64_t>& ids) const override {
        for (const auto& step : steps_)
            step->apply(ids);
    }

private:
    std::vector<std::unique_ptr<const PostProcessor>> steps_;
};

/// TemplateProcessing; only the template for a single text, Calibench never encodes pairs.
std::unique_ptr<const PostProcessor> make_template(const JsonNode& node) {
    const JsonNode special_tokens = node.at("special_tokens");
    std::vector<int64_t> before, after;
    bool text_seen = false;
    for (const JsonNode& piece : node.at("single").items()) {
        if (piece.has("Sequence")) {
            if (text_seen || piece.at("Sequence").at("id").string() != "A")
                piece.fail("must be the text, \"A\", and only once.");
            text_seen = true;
            continue;
        }
        const std::string name = piece.at("SpecialToken").at("id").string();
        for (const JsonNode& id : special_tokens.at(name.c_str()).at("ids").items())
            (text_seen ? after : before).push_back(id.integer());
    }
    if (!text_seen)
        node.at("single").fail("has no place for the text.");
    return std::make_unique<Surround>(std::move(before), std::move(after));
}

/// ["[CLS]", 101]
int64_t id_of_pair(const JsonNode& pair) {
    const auto items = pair.items();
    if (items.size() != 2)
        pair.fail("must be a token and its id.");
    return items[1].integer();
}

}  // namespace

std::unique_ptr<const PostProcessor> make_post_processor(const JsonNode& node) {
    if (node.is_null())
        return nullptr;
    const std::string type = node.at("type").string();
    if (type == "Sequence")
        return std::make_unique<Sequence>(node.at("processors"));
    if (type == "TemplateProcessing")
        return make_template(node);
    if (type == "BertProcessing" || type == "RobertaProcessing")
        return std::make_unique<Surround>(std::vector{id_of_pair(node.at("cls"))}, std::vector{id_of_pair(node.at("sep"))});
    if (type == "ByteLevel")
        return nullptr;  // it trims offsets, which nobody here asks for
    node.at("type").fail(concat("is \"", type, "\", a post-processor Calibench does not have: it knows Sequence, TemplateProcessing, "
                                "BertProcessing, RobertaProcessing and ByteLevel."));
}

}  // namespace calibench
