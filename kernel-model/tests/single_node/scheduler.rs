//! Who runs where and when: kernel code on a bare executor, so that every figure is what the scheduler makes of it.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use kernel_model::exec::{
    Completion, Executor, POLL_LIMIT, ThreadClass, WaitQueue, WaitRecord, Wake,
};
use kernel_model::fs::Pipe;
use msglayer::{SimDuration, SimTime};

const SWITCH: SimDuration = SimDuration::from_us(1);
const SLICE: SimDuration = SimDuration::from_ms(3);
/// What a thread of these tests computes at a time.
const QUANTUM: SimDuration = SimDuration::from_us(4);

fn node(cpus: u16) -> Rc<Executor> {
    Rc::new(Executor::new(cpus, SWITCH, SLICE))
}

fn run(exec: &Executor) {
    for _ in 0..1_000_000 {
        if !exec.step() {
            return;
        }
    }
    panic!("livelock at {}", exec.now());
}

/// A task that computes for `span`; what it does at its end is told when.
fn compute(exec: &Rc<Executor>, span: SimDuration, done: impl Fn(SimTime) + 'static) {
    let inside = Rc::clone(exec);
    exec.spawn("computes", ThreadClass::User, async move {
        busy(&inside, span).await;
        done(inside.now());
    });
}

async fn busy(exec: &Executor, span: SimDuration) {
    let mut left = span;
    while left > SimDuration::ZERO {
        let now = left.min(QUANTUM);
        exec.charge(now);
        left -= now;
        exec.end_quantum().await;
    }
}

/// When the last of `threads` tasks that compute for `span` each has done so on `cpus` vCPUs.
fn makespan(threads: usize, cpus: u16, span: SimDuration) -> SimTime {
    let exec = node(cpus);
    let last = Rc::new(Cell::new(SimTime::ZERO));
    for _ in 0..threads {
        let last = Rc::clone(&last);
        compute(&exec, span, move |at| last.set(last.get().max(at)));
    }
    run(&exec);
    last.get()
}

#[test]
fn threads_on_vcpus_of_their_own_do_not_wait_for_each_other() {
    let span = SimDuration::from_ms(20);
    let alone = makespan(1, 1, span).saturating_since(SimTime::ZERO);
    for cpus in [2, 4, 8] {
        let together = makespan(usize::from(cpus), cpus, span).saturating_since(SimTime::ZERO);
        assert!(together <= alone + SWITCH, "{cpus} vCPUs: {together}");
        let serial = makespan(usize::from(cpus), 1, span).saturating_since(SimTime::ZERO);
        assert!(serial >= span * u64::from(cpus), "{cpus} on one: {serial}");
    }
}

#[test]
fn a_vcpu_that_has_nothing_to_do_takes_a_task_that_waits() {
    // The short tasks begin on one vCPU, the long ones on the other: after 2 ms the first takes over a long one that has not run yet.
    let exec = node(2);
    let ends = Rc::new(RefCell::new(Vec::new()));
    for ms in [1, 9, 1, 9] {
        let ends = Rc::clone(&ends);
        compute(&exec, SimDuration::from_ms(ms), move |at| {
            ends.borrow_mut().push(at)
        });
    }
    run(&exec);
    let last = *ends.borrow().iter().max().expect("all have ended");
    assert!(
        last < SimTime::from_us(11_100),
        "18 ms of work, 2 ms beside it: {last}"
    );
}

#[test]
fn a_thread_that_is_woken_goes_to_an_idle_vcpu_while_its_waker_computes() {
    for cpus in [2, 3, 4] {
        let exec = node(cpus);
        let (ready, turn) = (Rc::new(Completion::new()), Rc::new(Completion::new()));
        let woken_at = Rc::new(Cell::new(SimTime::ZERO));
        let longest = Rc::new(Cell::new(SimDuration::ZERO));
        {
            let (exec_in, ready, turn) = (Rc::clone(&exec), Rc::clone(&ready), Rc::clone(&turn));
            let (woken_at, longest) = (Rc::clone(&woken_at), Rc::clone(&longest));
            exec.spawn("waits", ThreadClass::User, async move {
                for _ in 0..50 {
                    ready.complete(&exec_in);
                    turn.wait(&exec_in, WaitRecord::new("its turn")).await;
                    let late = exec_in.now().saturating_since(woken_at.get());
                    longest.set(longest.get().max(late));
                }
            });
        }
        let inside = Rc::clone(&exec);
        exec.spawn("wakes", ThreadClass::User, async move {
            for _ in 0..50 {
                ready.wait(&inside, WaitRecord::new("the other one")).await;
                busy(&inside, SimDuration::from_us(100)).await;
                woken_at.set(inside.now());
                turn.complete(&inside);
                busy(&inside, SimDuration::from_ms(5)).await;
            }
        });
        run(&exec);
        assert!(
            longest.get() < SimDuration::from_us(10),
            "{cpus} vCPUs: {}",
            longest.get()
        );
    }
}

#[test]
fn a_thread_that_serves_now_and_then_is_not_held_up_by_one_that_computes() {
    let exec = node(1);
    let longest = Rc::new(Cell::new(SimDuration::ZERO));
    compute(&exec, SimDuration::from_ms(200), |_| {});
    let (inside, kept) = (Rc::clone(&exec), Rc::clone(&longest));
    exec.spawn("serves", ThreadClass::User, async move {
        for _ in 0..50 {
            let asleep = SimDuration::from_ms(2);
            let asked = inside.now() + asleep;
            inside.sleep(asleep, WaitRecord::new("a request")).await;
            kept.set(kept.get().max(inside.now().saturating_since(asked)));
            inside.charge(SimDuration::from_us(10));
        }
    });
    run(&exec);
    assert!(
        longest.get() <= QUANTUM + SWITCH,
        "held up for {}",
        longest.get()
    );
}

#[test]
fn tasks_that_compute_take_turns_of_a_slice_and_get_equal_shares() {
    let exec = node(1);
    let ends = Rc::new(RefCell::new(Vec::new()));
    for _ in 0..3 {
        let ends = Rc::clone(&ends);
        compute(&exec, SimDuration::from_ms(30), move |at| {
            ends.borrow_mut().push(at)
        });
    }
    run(&exec);
    let (first, last) = (ends.borrow()[0], ends.borrow()[2]);
    assert!(
        last.saturating_since(first) <= SLICE * 2 + SWITCH * 4,
        "from {first} to {last}"
    );
}

#[test]
fn a_task_that_only_yields_lets_others_go_and_time_go_on() {
    // The one that yields waits for a flag that only an event sets; it charges nothing.
    let exec = node(1);
    let flag = Rc::new(Cell::new(false));
    let (inside, seen) = (Rc::clone(&exec), Rc::clone(&flag));
    exec.spawn("polls", ThreadClass::Kernel, async move {
        while !seen.get() {
            inside.schedule().await;
        }
    });
    let done = Rc::new(Cell::new(false));
    let told = Rc::clone(&done);
    compute(&exec, SimDuration::from_us(40), move |_| told.set(true));
    exec.start_timer(SimTime::from_us(100), move |_| flag.set(true));
    run(&exec);
    assert!(
        done.get() && exec.now() < SimTime::from_us(110),
        "{}",
        exec.now()
    );
}

#[test]
#[should_panic(expected = "bounded-poll: greedy kept its vCPU for")]
fn a_poll_without_end_is_a_broken_invariant() {
    let exec = node(1);
    let inside = Rc::clone(&exec);
    exec.spawn("greedy", ThreadClass::Kernel, async move {
        inside.charge(POLL_LIMIT * 2);
    });
    run(&exec);
}

#[test]
fn three_thousand_ready_threads_all_get_their_turn() {
    let exec = node(2);
    let ended = Rc::new(Cell::new(0));
    for _ in 0..3000 {
        let ended = Rc::clone(&ended);
        compute(&exec, SimDuration::from_us(50), move |_| {
            ended.set(ended.get() + 1)
        });
    }
    run(&exec);
    assert_eq!(ended.get(), 3000);
    assert!(
        exec.now() < SimTime::from_ms(3000 * 50 / 2 / 1000 + 10),
        "{}",
        exec.now()
    );
}

#[test]
fn a_pipe_wakes_only_those_who_wait_for_it() {
    let exec = node(1);
    let pipes: Vec<_> = (0..3).map(|_| Pipe::ends(&exec)).collect();
    let [first, second, other] = [0, 1, 2].map(|n: usize| Rc::clone(&pipes[n][0].pipe));
    let woken = Rc::new(Cell::new(0));
    let (inside, count) = (Rc::clone(&exec), Rc::clone(&woken));
    let both = [Rc::clone(&first), Rc::clone(&second)];
    exec.spawn("polls", ThreadClass::User, async move {
        let queues = [&both[0].pollers, &both[1].pollers];
        let record = WaitRecord::new("either of two pipes");
        WaitQueue::sleep_in_all(&queues, &inside, record, None).await;
        count.set(count.get() + 1);
    });
    run(&exec);
    other.put(b"x");
    run(&exec);
    assert_eq!(woken.get(), 0);
    second.put(b"x");
    run(&exec);
    assert_eq!(woken.get(), 1);
    assert!(first.pollers.is_empty() && second.pollers.is_empty());
}

#[test]
fn a_wait_queue_wakes_in_the_order_of_coming() {
    let exec = node(1);
    let queue = Rc::new(WaitQueue::new());
    let order = Rc::new(RefCell::new(Vec::new()));
    for n in 0..4_u64 {
        let (inside, queue, order) = (Rc::clone(&exec), Rc::clone(&queue), Rc::clone(&order));
        exec.spawn("waits", ThreadClass::Kernel, async move {
            let timeout = (n == 1).then_some(QUANTUM);
            let record = WaitRecord::new("a turn");
            let wake = WaitQueue::sleep_in_all(&[&queue], &inside, record, timeout).await;
            order.borrow_mut().push((n, wake));
        });
    }
    run(&exec);
    assert_eq!(queue.wake(&exec, 2), 2);
    run(&exec);
    assert_eq!(queue.wake_all(&exec), 1);
    run(&exec);
    let expected = [
        (1, Wake::TimedOut),
        (0, Wake::Woken),
        (2, Wake::Woken),
        (3, Wake::Woken),
    ];
    assert_eq!(*order.borrow(), expected);
    assert!(queue.is_empty());
}
