#pragma once

#include <QFutureWatcher>
#include <QPromise>
#include <QString>
#include <QThreadPool>

#include <exception>
#include <memory>
#include <optional>
#include <utility>

namespace calibench {

/// What a background task came to: a value, or the sentence of the exception that ended it.
template <typename T>
struct Outcome {
    std::optional<T> value;
    QString error;
};

/// Runs `work` on the thread pool and hands its Outcome to `done` on the thread of `context`.
/// `done` is not called when `context` is gone by then; `work` must own all it touches.
template <typename Work, typename Done>
void runInBackground(QObject* context, Work work, Done done, QThreadPool* pool = QThreadPool::globalInstance()) {
    using Result = Outcome<decltype(work())>;
    auto* watcher = new QFutureWatcher<Result>(context);
    QObject::connect(watcher, &QFutureWatcherBase::finished, context, [watcher, done = std::move(done)]() mutable {
        watcher->deleteLater();
        done(watcher->result());
    });
    const auto promise = std::make_shared<QPromise<Result>>();
    promise->start();
    watcher->setFuture(promise->future());
    pool->start([promise, work = std::move(work)]() mutable {
        Result result;
        try {
            result.value = work();
        } catch (const std::exception& error) {
            result.error = QString::fromUtf8(error.what());
        }
        promise->addResult(std::move(result));
        promise->finish();
    });
}

}  // namespace calibench
