package store

import "context"

// Waiting returns how many writes of a lane have not begun.
func (db *DB) Waiting(lane Lane) int { return len(db.writer.queues[lane.queue()]) }

// Pragma changes the writing connection while no write is under way.
func (db *DB) Pragma(text string) error {
	_, err := db.writer.conn.ExecContext(context.Background(), "pragma "+text)
	return err
}

// LogMost is the longest that the log of writes should be, in pages.
const LogMost = logMost
