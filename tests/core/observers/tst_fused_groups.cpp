#include <QtTest/QTest>

#include "core/observers/fused_groups.h"
#include "tests/core/observers/observer_fixtures.h"

using namespace calibench;
using namespace calibench::testing;

class FusedGroups : public QObject {
    Q_OBJECT

    const std::vector<std::string> attention_ = {"layers.0.self_attn.q_proj", "layers.0.self_attn.k_proj", "layers.0.self_attn.v_proj",
                                                 "layers.0.self_attn.o_proj"};

    static std::unique_ptr<Observer> weight_observer(const std::string& module, const QuantizationArgs& args = nvfp4_args()) {
        return make_observer("memoryless_minmax", "weight", args, ObservedModule{module});
    }

private Q_SLOTS:
    void groups_are_found_by_name() {
        const std::vector<std::string> modules = {"a.q_proj",  "a.k_proj",   "a.v_proj", "a.o_proj",          "b.gate_proj",
                                                  "b.up_proj", "c.q_a_proj", "c.kv_b",   "c.kv_a_proj_with_mqa", "d.w1",
                                                  "d.w2",      "d.w3",       "e.q_proj", "e.k_proj"};
        const std::vector<std::vector<std::string>> expected = {{"a.q_proj", "a.k_proj", "a.v_proj"},
                                                                {"b.gate_proj", "b.up_proj"},
                                                                {"c.q_a_proj", "c.kv_a_proj_with_mqa"},
                                                                {"d.w1", "d.w3"}};
        QVERIFY(find_fused_groups(modules) == expected);
    }

    void the_shared_scale_covers_the_largest() {
        std::vector<std::unique_ptr<Observer>> owners;
        std::vector<Observer*> observers;
        for (size_t i = 0; i < attention_.size(); ++i) {
            owners.push_back(weight_observer(attention_[i]));
            observers.push_back(owners.back().get());
            observers.back()->observe(heavy_tailed({4, 32}, i) * double(i + 1));
        }
        const auto groups = fused_weight_observers(attention_, observers);
        QCOMPARE(groups.size(), size_t{1});
        QCOMPARE(groups[0].size(), size_t{3});
        at::Tensor least = observers[0]->global_scale();
        for (const Observer* observer : groups[0]) least = at::minimum(least, observer->global_scale());
        const at::Tensor own = observers[3]->global_scale();
        share_global_scale(groups[0]);
        for (const Observer* observer : groups[0]) QVERIFY(observer->global_scale().equal(least));
        QVERIFY(observers[3]->global_scale().equal(own));
    }

    void half_a_group_is_refused() {
        const auto q = weight_observer(attention_[0]), k = weight_observer(attention_[1]);
        const std::vector<Observer*> observers = {q.get(), k.get()};
        const std::string message = thrown_by([&] { (void)fused_weight_observers(attention_, observers); });
        QVERIFY2(message.rfind("Some layers in fused group: ('q_proj', 'k_proj', 'v_proj') have no weight observer, need all fused "
                               "layers to have same quantization", 0) == 0, message.c_str());
        QVERIFY2(message.find("layers.0.self_attn.v_proj") != std::string::npos, message.c_str());
    }

    void mixed_strategies_are_refused() {
        const auto q = weight_observer(attention_[0]), k = weight_observer(attention_[1]);
        const auto v = weight_observer(attention_[2], make_args(8, true, Strategy::Channel));
        const std::vector<Observer*> observers = {q.get(), k.get(), v.get()};
        const std::string message = thrown_by([&] { (void)fused_weight_observers(attention_, observers); });
        QVERIFY2(message.find("have non-TENSOR_GROUP quantization, need all fused layers") != std::string::npos, message.c_str());
    }

    void other_strategies_do_not_fuse() {
        const auto q = weight_observer(attention_[0], make_args(8, true, Strategy::Channel));
        const std::vector<Observer*> observers = {q.get()};
        QVERIFY(fused_weight_observers(attention_, observers).empty());
    }

    void every_member_must_have_been_observed() {
        const auto q = weight_observer(attention_[0]), k = weight_observer(attention_[1]);
        q->observe(at::ones({4, 32}));
        const std::vector<Observer*> group = {q.get(), k.get()};
        const std::string message = thrown_by([&] { share_global_scale(group); });
        QVERIFY2(message.find(attention_[1]) != std::string::npos, message.c_str());
    }
};

QTEST_APPLESS_MAIN(FusedGroups)
#include "tst_fused_groups.moc"
