#include <QTest>

#include <ATen/ATen.h>

#include "core/kernels/recycled.h"

using namespace calibench;

class TestRecycled : public QObject {
    Q_OBJECT
private Q_SLOTS:
    void memoryInUseIsNotHandedOut();
    void aTensorMayOutliveThePool();
    void memoryGoesToTheNextOfItsSize();
};

void TestRecycled::memoryInUseIsNotHandedOut() {
    const RecycledMemory outer;
    const RecycledMemory inner;
    at::Tensor first = recycled({1000, 700}, at::kFloat);
    const void* memory = first.data_ptr();
    QVERIFY(recycled({1000, 700}, at::kFloat).data_ptr() != memory);  // it is in use
    const at::Tensor view = first[3];
    first.reset();
    QVERIFY(recycled({1000, 700}, at::kFloat).data_ptr() != memory);  // it still is
    first = view;
    QCOMPARE(static_cast<const void*>(first.storage().data()), memory);
    const at::Tensor other = recycled({10}, at::kFloat);
    QVERIFY(other.data_ptr() != memory);
}

void TestRecycled::aTensorMayOutliveThePool() {
    at::Tensor tensor;
    {
        const RecycledMemory recycled_memory;
        tensor = recycled({5, 3}, at::kDouble);
    }
    tensor.fill_(2);
    QCOMPARE(tensor.sum().item<double>(), 30.0);
}

void TestRecycled::memoryGoesToTheNextOfItsSize() {
    const RecycledMemory recycled_memory;
    const void* memory = nullptr;
    for (int round = 0; round < 3; ++round) {
        const at::Tensor tensor = recycled({1 << 20, 2}, at::kBFloat16);
        if (memory) QCOMPARE(static_cast<const void*>(tensor.data_ptr()), memory);
        memory = tensor.data_ptr();
        QVERIFY(tensor.is_contiguous() && tensor.scalar_type() == at::kBFloat16 && !tensor.requires_grad());
        QCOMPARE(reinterpret_cast<uintptr_t>(memory) % 64, uintptr_t{0});
    }
    QCOMPARE(recycled({0, 4}, at::kFloat).numel(), int64_t{0});
}

QTEST_GUILESS_MAIN(TestRecycled)
#include "tst_recycled.moc"
