# cdrfs answers updatedb (plocate, mlocate) from what it holds, so an index of file names costs no request. With
# this, updatedb does not even look; twice does no harm:
#
#     sed -i -f updatedb.sed /etc/updatedb.conf
#
/^PRUNEFS *= *"/ {
    /fuse\.cdrfs/! s/"/"fuse.cdrfs /
}
