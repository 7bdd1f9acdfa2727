-- Parts of files are no blobs any more: those of unfinished uploads go.
delete from blob_ref where owner_kind = 'upload';
