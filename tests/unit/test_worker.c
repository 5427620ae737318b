// SPDX-License-Identifier: MIT
#include "fs/worker.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

#include "tests/unit/check_util.h"

#define TASKS_MAX 1000000

static struct worker *worker;
static atomic_int done, done_stopping;
static sem_t gate;

static void setup(void)
{
    worker = worker_create();
    ck_assert_ptr_nonnull(worker);
    atomic_store(&done, 0);
    atomic_store(&done_stopping, 0);
    sem_init(&gate, 0, 0);
}

static void teardown(void)
{
    worker_stop(worker);
    worker_destroy(worker);
    sem_destroy(&gate);
}

struct numbered {
    int number;
};

static void in_order(void *arg, bool stopping)
{
    struct numbered *t = arg;
    expect(atomic_fetch_add(&done, 1) == t->number, "task %d is out of order", t->number);
    if (stopping)
        atomic_fetch_add(&done_stopping, 1);
}

static void wait_at_gate(void *arg UNUSED, bool stopping UNUSED)
{
    sem_wait(&gate);
}

static void count(void *arg UNUSED, bool stopping)
{
    atomic_fetch_add(&done, 1);
    if (stopping)
        atomic_fetch_add(&done_stopping, 1);
}

START_TEST(tasks_run_in_their_order_and_each_once)
{
    static struct numbered tasks[1000];
    for (int i = 0; i < 1000; i++) {
        tasks[i].number = i;
        ck_assert_int_eq(worker_run(worker, in_order, &tasks[i]), 0);
    }
    worker_stop(worker);
    ck_assert_int_eq(atomic_load(&done), 1000);
}
END_TEST

START_TEST(a_task_is_not_told_to_hurry_while_nobody_stops)
{
    ck_assert_int_eq(worker_run(worker, count, NULL), 0);
    while (atomic_load(&done) == 0)
        sched_yield();
    ck_assert_int_eq(atomic_load(&done_stopping), 0);
}
END_TEST

static void *stop_it(void *arg UNUSED)
{
    worker_stop(worker);
    return NULL;
}

START_TEST(what_is_queued_when_it_stops_is_called_and_told_so)
{
    pthread_t stopper;
    int queued = 0, rc;
    ck_assert_int_eq(worker_run(worker, wait_at_gate, NULL), 0);
    for (; queued < 10; queued++)
        ck_assert_int_eq(worker_run(worker, count, NULL), 0);
    ck_assert_int_eq(pthread_create(&stopper, NULL, stop_it, NULL), 0);
    while ((rc = worker_run(worker, count, NULL)) == 0 && queued < TASKS_MAX) {
        queued++;
        sched_yield();
    }
    ck_assert_int_eq(rc, -ENOTCONN);
    ck_assert_int_eq(atomic_load(&done), 0);
    sem_post(&gate);
    pthread_join(stopper, NULL);
    ck_assert_int_eq(atomic_load(&done), queued);
    ck_assert_int_eq(atomic_load(&done_stopping), queued);
}
END_TEST

START_TEST(a_stopped_worker_takes_nothing)
{
    worker_stop(worker);
    ck_assert_int_eq(worker_run(worker, count, NULL), -ENOTCONN);
    worker_stop(worker);
    ck_assert_int_eq(atomic_load(&done), 0);
}
END_TEST

START_TEST(destroying_none_is_no_fault)
{
    worker_destroy(NULL);
}
END_TEST

static void again(void *arg UNUSED, bool stopping UNUSED)
{
    if (atomic_fetch_add(&done, 1) < 99)
        expect(worker_run(worker, again, NULL) == 0, "a task may add another");
    else
        sem_post(&gate);
}

START_TEST(a_task_may_add_another)
{
    ck_assert_int_eq(worker_run(worker, again, NULL), 0);
    sem_wait(&gate);
    ck_assert_int_eq(atomic_load(&done), 100);
}
END_TEST

static void *run_many(void *arg UNUSED)
{
    for (int i = 0; i < 500; i++)
        expect(worker_run(worker, count, NULL) == 0, "refused");
    return NULL;
}

START_TEST(threads_may_add_at_once)
{
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, run_many, NULL), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    worker_stop(worker);
    ck_assert_int_eq(atomic_load(&done), 2000);
}
END_TEST

int main(void)
{
    const struct unit_test tests[] = {
        ONCE(tasks_run_in_their_order_and_each_once),
        ONCE(a_task_is_not_told_to_hurry_while_nobody_stops),
        ONCE(what_is_queued_when_it_stops_is_called_and_told_so),
        ONCE(a_stopped_worker_takes_nothing),
        ONCE(destroying_none_is_no_fault),
        ONCE(a_task_may_add_another),
        ONCE(threads_may_add_at_once),
    };
    return run_suite_with("worker", tests, ARRAY_LEN(tests), setup, teardown);
}
