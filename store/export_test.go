package store

// Waiting returns how many writes of a lane have not begun.
func (db *DB) Waiting(lane Lane) int { return len(db.writer.queues[lane.queue()]) }
