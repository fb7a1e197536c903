// Package framework is what the author of a function imports: the forms a
// function may have, and what it can do while it runs. It holds the vocabulary
// of Fairlead and no machinery; package host runs functions, and package
// frameworktest runs them in a unit test.
//
// A function is a plain Go function. [Sink] and [Func] turn it into a [Handler],
// and a [Functions] value gives it the name under which triggers find it:
//
//	func Received(ctx context.Context, o Order) error {
//		return framework.Send(ctx, "customer.updates", "CUSTOMER.1", o)
//	}
//
//	var Functions = framework.Functions{"order.received": framework.Sink(Received)}
//
// A function never knows its queue. What starts it, and where its bindings
// lead, is configuration.
//
// # Outcomes
//
// A function that returns nil has succeeded: its message is settled. Any other
// error is tried again, after a wait that doubles; [RetryAfter] asks for a wait
// of its own, [Terminal] says that no retry can help and the message belongs in
// the dead letters. A panic counts as an error. Because a message may be
// delivered again after a crash, a function may see the same event twice;
// [Transactional] makes its effects happen once.
package framework
